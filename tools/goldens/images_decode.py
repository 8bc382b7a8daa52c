"""Writes tests/goldens/images/files/* and tests/goldens/images/decode.txt: what Pillow makes of each file.

Three pictures a file: `reference` is convert("RGB"), `shown` is turned by EXIF and laid on white, `kept` is turned by EXIF
with its alpha. How to run: images_common.py.
"""

import io
import re
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps

from images_common import GOLDENS
from images_files import files


def with_alpha(name, image):
    """convert("RGBA"), but a transparent colour is compared at the file's own depth, as the PNG specification says, and
    16-bit grey keeps its high byte instead of being clipped."""
    key = image.info.get("transparency")
    if image.mode == "I;16":
        values = np.asarray(image)
        clear = values == (-1 if key is None else key)
        grey = values >> 8
    elif re.match("png-c0-d[124]-key", name):
        grey = np.asarray(image.convert("L"))
        clear = grey == min(key * 255 // (2 ** int(name[8]) - 1), 255)
    elif name == "png-c2-d16-key.png":
        rgba = np.array(image).astype(np.uint8)
        clear = np.zeros(rgba.shape[:2], bool)
        clear[0, 0] = clear[3:6, 2:7] = True  # as images_files.py made it
        return Image.fromarray(np.dstack([rgba, np.where(clear, 0, 255)]).astype(np.uint8), "RGBA")
    else:
        return image.convert("RGBA")
    return Image.fromarray(np.stack([grey, grey, grey, np.where(clear, 0, 255)], -1).astype(np.uint8), "RGBA")


def describe(image):
    return f"{image.width} {image.height} {zlib.crc32(image.tobytes())}"


def main():
    folder = GOLDENS / "files"
    folder.mkdir(exist_ok=True)
    lines = [f"# Pillow {PIL.__version__}: file, then width height crc32 of: reference, shown, kept"]
    for name, data in files():
        (folder / name).write_bytes(data)
        reference = Image.open(io.BytesIO(data)).convert("RGB")
        image = Image.open(io.BytesIO(data))
        image.load()
        kept = with_alpha(name, ImageOps.exif_transpose(image))
        shown = Image.alpha_composite(Image.new("RGBA", kept.size, "white"), kept).convert("RGB")
        lines.append(f"{name} {describe(reference)} {describe(shown)} {describe(kept)}")
    (GOLDENS / "decode.txt").write_text("\n".join(lines) + "\n")


main()
