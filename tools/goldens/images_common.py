"""Deterministic test pictures, the same as src/preprocess/test_picture.h makes.

The goldens are those of Pillow 9 to 12.2. Pillow 13 resizes some tall pictures vertically first (its pull request 9549;
12.3 does so for pictures 100 times as tall as wide), which changes some pixels by one; published models were trained and
measured with the order before. So run these scripts with

    pip install --no-deps --target OLD pillow==12.0.0
    PYTHONPATH=OLD python tools/goldens/images_….py       in the reference environment
"""

import pathlib

import numpy as np
import PIL

assert tuple(map(int, PIL.__version__.split(".")[:2])) < (12, 3), "these goldens are made with Pillow 9 to 12.2"
GOLDENS = pathlib.Path(__file__).resolve().parents[2] / "tests/goldens/images"


def picture(width, height, channels, seed):
    y, x, c = np.meshgrid(
        np.arange(height, dtype=np.uint32) // np.uint32(1 + seed % 3),
        np.arange(width, dtype=np.uint32) // np.uint32(1 + seed % 4),
        np.arange(channels, dtype=np.uint32),
        indexing="ij",
    )
    u = np.uint32
    with np.errstate(over="ignore"):
        v = (x * u(73856093)) ^ (y * u(19349663)) ^ (c * u(83492791)) ^ u(seed * 2654435761 % 2**32)
        v = (v ^ (v >> u(15))) * u(2246822519)
        v = (v ^ (v >> u(13))) * u(3266489917)
    v >>= u(24)
    if seed % 2:
        v = np.where(v < 128, 0, 255)
    return v.astype(np.uint8)
