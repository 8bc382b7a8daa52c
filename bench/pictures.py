"""Decoding and resizing against Pillow, on the same files, one core each, turn by turn.

    ninja -C build/release pictures_bench
    taskset -c 0 python bench/pictures.py build/release/src/preprocess/pictures_bench

in an environment with numpy and Pillow (below 12.3: resize then does the same arithmetic, see tools/goldens).
"""

import io
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import PIL
from PIL import Image

RESIZES = [((640, 480), (298, 224)), ((500, 333), (336, 224)), ((1920, 1280), (336, 224)),
           ((4000, 3000), (298, 224)), ((64, 64), (224, 224)), ((300, 200), (64, 43)), ((96, 96), (64, 64))]  # fmt: skip


def best_ms(work):
    best, start, runs = 1e9, time.perf_counter(), 0
    while runs < 3 or time.perf_counter() - start < 0.5:
        before = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - before)
        runs += 1
    return best * 1e3


def photo(width, height):
    """Clouds of several scales with a little grain: compresses about as a photograph does."""
    rng = np.random.default_rng(0)
    total = np.zeros((height, width, 3))
    for cells, weight in ((4, 90), (16, 45), (64, 22), (200, 10)):
        low = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        total += (np.asarray(Image.fromarray(low).resize((width, height), Image.Resampling.BICUBIC)) - 128.0) * weight / 128
    return Image.fromarray(np.clip(total + 128 + rng.normal(0, 3, total.shape), 0, 255).astype(np.uint8))


def report(what, ours, theirs):
    print(f"{what:44} {ours:9.3f} {theirs:9.3f} {theirs / ours:7.2f}x", flush=True)


def main():
    binary = sys.argv[1]
    run = lambda *args: float(subprocess.check_output([binary, *map(str, args)]))  # noqa: E731
    print(f"{'':44} {'Tandem ms':>9} {'Pillow ms':>9}   ratio    (Pillow {PIL.__version__})")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "picture"
        for size, to in RESIZES:
            image = photo(*size)
            image.save(path, "PNG", compress_level=1)
            for name, filter in (("bicubic", Image.Resampling.BICUBIC), ("bilinear", Image.Resampling.BILINEAR)):
                ours = run("resize", path, *to, name)
                report(f"resize {size[0]}x{size[1]} to {to[0]}x{to[1]} {name}", ours, best_ms(lambda: image.resize(to, filter)))
        for kind, options in (("JPEG", {"quality": 90}), ("PNG", {}), ("WEBP", {"quality": 80}), ("GIF", {})):
            photo(500, 400).save(path, kind, **options)
            data = path.read_bytes()
            theirs = best_ms(lambda: Image.open(io.BytesIO(data)).convert("RGB"))
            report(f"decode {kind} 500x400, {len(data) // 1000} kB", run("decode", path), theirs)


main()
