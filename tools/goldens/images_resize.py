"""Writes tests/goldens/images/resize.txt: checksums of Pillow's resize over many sizes, boxes and both filters.

How to run: images_common.py.
"""

import random
import zlib

import PIL
from PIL import Image

from images_common import GOLDENS, picture

SIZES = [
    # (from, to): same, up, down, one pixel wide or high, huge ratios, one axis only
    ((7, 5), (7, 5)), ((1, 1), (1, 1)), ((1, 1), (17, 9)), ((17, 9), (1, 1)), ((2, 2), (3, 3)),
    ((1, 200), (224, 3)), ((200, 1), (3, 224)), ((1, 300), (1, 7)), ((300, 1), (7, 1)),
    ((64, 48), (64, 20)), ((64, 48), (20, 48)), ((64, 48), (64, 100)), ((64, 48), (100, 48)),
    ((640, 480), (224, 168)), ((333, 500), (224, 336)), ((500, 333), (288, 192)),
    ((2000, 3), (5, 5)), ((3, 2000), (5, 5)), ((4001, 7), (1, 7)), ((7, 4001), (7, 1)),
    ((31, 17), (224, 224)), ((5, 4), (384, 300)), ((225, 224), (224, 224)), ((448, 448), (224, 224)),
    ((223, 223), (224, 224)), ((1024, 37), (64, 64)), ((1000, 700), (32, 32)), ((256, 256), (64, 64)),
]  # fmt: skip


def cases():
    rng = random.Random(20240521)
    for size, to in SIZES:
        for channels in (3, 4):
            for name in ("bilinear", "bicubic"):
                yield size, channels, to, name, (0, 0, *size)
    for i in range(320):
        size = (rng.randint(1, 120), rng.randint(1, 120))
        to = (rng.randint(1, 150), rng.randint(1, 150))
        if i % 2:
            box = (0, 0, *size)
        else:
            # Eighths are exact in float32 and in decimal; every fourth case has thirds, which are not.
            def corner(high):
                value = rng.randint(0, high * 8 - 1) / 8
                return value if i % 4 else value * 2 / 3

            left, top = corner(size[0]), corner(size[1])
            box = (
                left,
                top,
                left + (size[0] - left) * rng.randint(1, 64) / 64,
                top + (size[1] - top) * rng.randint(1, 64) / 64,
            )
        yield size, rng.choice((3, 4)), to, rng.choice(("bilinear", "bicubic")), box


def main():
    lines = [f"# Pillow {PIL.__version__}: width height channels seed to_width to_height filter box crc32"]
    for seed, (size, channels, to, name, box) in enumerate(cases()):
        image = Image.fromarray(picture(*size, channels, seed))
        out = image.resize(to, getattr(Image.Resampling, name.upper()), box)
        values = [*size, channels, seed, *to, name, *(repr(float(v)) for v in box), zlib.crc32(out.tobytes())]
        lines.append(" ".join(map(str, values)))
    (GOLDENS / "resize.txt").write_text("\n".join(lines) + "\n")


main()
