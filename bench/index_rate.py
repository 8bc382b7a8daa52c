"""`tandem index` against `tandem embed` on the same JPEGs, turn by turn, and a second run over the unchanged folder.

    python bench/index_rate.py build/release/bin/tandem [--pictures 10000] [--rounds 3] [--model vit-b-32]

in an environment with Pillow (python -m venv V && V/bin/pip install pillow). Pictures are made from assets/samples: enlarged to
640 x 480, turned a little in colour so that no two are the same, saved as JPEG. Whole processes, pages cached. Prints one line a
figure; the targets are a ratio of at least 0.95 and at most 2 s.
"""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

from PIL import Image, ImageEnhance

ROOT = pathlib.Path(__file__).resolve().parent.parent


def make_pictures(folder, count):
    samples = sorted((ROOT / "assets/samples").glob("*.png"))
    bases = []
    for path in samples[:100]:
        picture = Image.open(path).convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        bases.append(Image.alpha_composite(ground, picture).convert("RGB").resize((640, 480)))
    for i in range(count):
        shade = 0.7 + 0.6 * (i // len(bases)) / max(1, count // len(bases))
        picture = ImageEnhance.Color(bases[i % len(bases)]).enhance(shade)
        picture.putpixel((i % 640, i // 640), (i % 256, i // 256 % 256, 99))
        place = folder / f"{i // 1000:03}"
        place.mkdir(exist_ok=True)
        picture.save(place / f"{i:06}.jpg", quality=85)


def seconds(command):
    begin = time.perf_counter()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return time.perf_counter() - begin, done.stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tandem", type=pathlib.Path)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="mini")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tandem_index_rate_") as name:
        work = pathlib.Path(name)
        folder = work / "pictures"
        folder.mkdir()
        make_pictures(folder, args.pictures)
        embed, index, unchanged = [], [], []
        for _ in range(args.rounds):
            for path in (work / "vectors", work / "c.tandem"):
                shutil.rmtree(path, ignore_errors=True)
            took, _ = seconds([args.tandem, "embed", folder, "--out", work / "vectors", "--model", args.model, "--quiet"])
            embed.append(took)
            build = [args.tandem, "index", folder, "--to", work / "c.tandem", "--model", args.model, "--quiet", "--json"]
            took, answer = seconds(build)
            if json.loads(answer)["added"] != args.pictures:
                raise SystemExit(f"expected {args.pictures} added: {answer}")
            index.append(took)
            took, answer = seconds(build)
            if json.loads(answer)["unchanged"] != args.pictures:
                raise SystemExit(f"expected {args.pictures} unchanged: {answer}")
            unchanged.append(took)
    ratio = statistics.median(e / i for e, i in zip(embed, index))
    print(f"pictures          {args.pictures}, 640 x 480 JPEG, model {args.model}, {args.rounds} rounds")
    print(f"embed             {statistics.median(embed):8.2f} s  {args.pictures / statistics.median(embed):8.0f} pictures/s")
    print(f"index, first run  {statistics.median(index):8.2f} s  {args.pictures / statistics.median(index):8.0f} pictures/s")
    print(f"index / embed     {ratio:8.3f}    (target: at least 0.95)")
    print(f"index, unchanged  {statistics.median(unchanged):8.2f} s  (target: at most 2 s)")


if __name__ == "__main__":
    main()
