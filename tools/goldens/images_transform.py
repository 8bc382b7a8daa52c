"""Writes tests/goldens/images/transform.txt: checksums of open_clip's evaluation transform before normalisation.

How to run: images_common.py.
"""

import random
import zlib

import numpy as np
import open_clip_transform
import PIL
from PIL import Image

from images_common import GOLDENS, picture

SIZES = [
    (1, 1), (1, 40), (40, 1), (224, 224), (225, 224), (224, 225), (223, 224), (64, 64), (65, 64), (64, 67),
    (640, 480), (480, 640), (500, 333), (333, 500), (100, 37), (37, 100), (7, 300), (300, 7), (1000, 600),
    (128, 64), (63, 64), (62, 64), (61, 64), (32, 33), (33, 32),
]  # fmt: skip


def cases():
    rng = random.Random(7)
    for mode in ("shortest", "squash", "longest"):
        for size in SIZES:
            if mode == "longest" and max(size) > 2 * 64 * min(size):
                continue  # a side rounds to nothing: an error in open_clip
            yield size, 64, mode, "bicubic", 0
        for _ in range(60):
            size = (rng.randint(20, 300), rng.randint(20, 300))
            yield size, rng.choice((32, 63, 64, 224)), mode, rng.choice(("bicubic", "bilinear")), rng.choice((0, 127, 255))


def main():
    lines = [
        f"# open_clip {open_clip_transform.VERSION}, Pillow {PIL.__version__}: "
        "width height channels seed size mode filter fill crc32"
    ]
    for seed, (size, to, mode, name, fill) in enumerate(cases()):
        # The shortest mode pads with 0 in torchvision, whatever the fill colour.
        pipeline = open_clip_transform.image_transform(
            to, is_train=False, mean=(0, 0, 0), std=(1, 1, 1), resize_mode=mode, interpolation=name, fill_color=fill
        )
        channels = 4 if seed % 5 == 0 else 3
        tensor = pipeline(Image.fromarray(picture(*size, channels, seed)))
        pixels = np.rint(tensor.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        values = [*size, channels, seed, to, mode, name, fill, zlib.crc32(pixels.tobytes())]
        lines.append(" ".join(map(str, values)))
    (GOLDENS / "transform.txt").write_text("\n".join(lines) + "\n")


main()
