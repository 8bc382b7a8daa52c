"""A folder of JPEGs to a file of embeddings, whole processes, beside open_clip with Pillow; and what starting costs.

    python bench/pipeline.py TANDEM [--pictures 1000] [--rounds 3]    # in an environment with torch and open_clip (HACKING.md)

Same ViT-B/32 with generated weights for all, float32 file, pages cached. Programs take turns; medians. CPU use: user + system time over wall time
and cores. Also: ten times the pictures against the time and memory of one part; one picture's process; --fast-jpeg on large
photographs, with what it changes.
"""
import argparse
import json
import logging
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import numpy as np

logging.disable(logging.WARNING)  # open_clip says that weights are random
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools/goldens"))

PEER = """
import sys, os
sys.path.insert(0, {goldens!r})
os.environ.setdefault("HF_HUB_OFFLINE", "1")
from oracle import open_clip, torch
from concurrent.futures import ThreadPoolExecutor
from safetensors.torch import load_file
from PIL import Image
import numpy as np
torch.set_num_threads({threads})
model, _, transform = open_clip.create_model_and_transforms("ViT-B-32", pretrained=None)
model.load_state_dict(load_file({weights!r}))
model.eval().requires_grad_(False)
half = {half}
if half: model = model.bfloat16()
names = sorted(os.listdir({folder!r}))
read = lambda n: transform(Image.open(os.path.join({folder!r}, n)))
out = []
with ThreadPoolExecutor({threads}) as pool, torch.inference_mode():
    batches = [names[i:i + 32] for i in range(0, len(names), 32)]
    begin = lambda batch: [pool.submit(read, n) for n in batch] if {overlap} else batch
    wait = (lambda f: f.result()) if {overlap} else read
    ahead = begin(batches[0])
    for i, batch in enumerate(batches):
        pixels = torch.stack([wait(f) for f in ahead])
        ahead = begin(batches[i + 1]) if i + 1 < len(batches) else []
        out.append(model.encode_image(pixels.bfloat16() if half else pixels, normalize=True).float().numpy())
np.save({out!r}, np.concatenate(out))
"""


def photo(width, height, seed):
    """Clouds of several scales with a little grain: compresses about as a photograph does."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for cells, weight in ((4, 90), (16, 45), (64, 22), (200, 10)):
        low = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        total += (np.asarray(Image.fromarray(low).resize((width, height), Image.Resampling.BICUBIC)) - 128.0) * weight / 128
    return Image.fromarray(np.clip(total + 128 + rng.normal(0, 3, total.shape), 0, 255).astype(np.uint8))


def pictures(folder, count, width, height):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        path = folder / f"{i:05}.jpg"
        if not path.exists():
            photo(width, height, i).save(path, quality=95)
    return folder


def model_folder(folder, name="ViT-B-32"):
    """Weights computed from a hash, with the gains and outlying channels that trained models have (tools/goldens/generated_model.py)."""
    if (folder / "open_clip_config.json").exists():
        return folder
    from model_goldens import with_generated_weights
    from oracle import open_clip
    from safetensors.torch import save_file

    model = with_generated_weights(open_clip.create_model(name, pretrained=None))
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    config = open_clip.get_model_config(name)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {"size": 224}}))
    return folder


# A process's peak memory counts what it shared with its parent before exec: the parent has to be small.
STOPWATCH = """
import os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, status)
"""


def measure(command):
    """Seconds, share of all cores, peak MB of a whole process."""
    command = [shutil.which(command[0]), *command[1:]]
    run = subprocess.run([sys.executable, "-S", "-c", STOPWATCH, *command], capture_output=True, text=True, check=True)
    seconds, used, peak_kb, status = map(float, run.stdout.split())
    if status != 0:
        sys.exit(f"{command[:3]}: {run.stderr[-2000:]}")
    return seconds, used / seconds / len(os.sched_getaffinity(0)), peak_kb / 1024


def median(rows):
    return [statistics.median(column) for column in zip(*rows)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tandem")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", default=str(ROOT / "out/bench"))
    args = parser.parse_args()
    work = pathlib.Path(args.work)
    many = pictures(work / f"jpeg-{args.pictures}", args.pictures, 500, 400)
    few = pictures(work / f"jpeg-{args.pictures // 10}", args.pictures // 10, 500, 400)
    large = pictures(work / "jpeg-12mp", 24, 4000, 3000)
    model = model_folder(work / "vit-b-32")
    size = sum(f.stat().st_size for f in many.iterdir()) / args.pictures / 1e3
    print(f"{args.pictures} JPEGs of 500x400, {size:.0f} kB each; ViT-B/32; {len(os.sched_getaffinity(0))} cores\n")

    if not (work / "vit-b-32-int8").exists():
        subprocess.run([args.tandem, "quantize", str(model), "--out", str(work / "vit-b-32-int8"), "--quiet"], check=True,
                       stdout=subprocess.DEVNULL)

    def ours(folder, precision, *more):
        read = work / "vit-b-32-int8" if precision == "int8" else model
        return [args.tandem, "embed", str(folder), "--model", str(read), "--precision", precision, "--reference",
                "--dtype", "f32", "--out", str(work / f"out-{folder.name}-{precision}{''.join(more)}"), *more]

    def peer(half, overlap):
        return [sys.executable, "-c", PEER.format(
            goldens=str(ROOT / "tools/goldens"), threads=len(os.sched_getaffinity(0)), half=half, overlap=overlap, folder=str(many),
            weights=str(model / "open_clip_model.safetensors"), out=str(work / f"peer-{half}.npy"))]

    programs = {"open_clip + Pillow in turn, fp32": peer(False, False), "open_clip + Pillow in turn, bf16": peer(True, False),
                "open_clip + Pillow overlapped, fp32": peer(False, True), "open_clip + Pillow overlapped, bf16": peer(True, True),
                "Tandem, fp32": ours(many, "fp32"), "Tandem, bf16": ours(many, "bf16"), "Tandem, int8": ours(many, "int8")}
    rows = {name: [] for name in programs}
    for _ in range(args.rounds):
        for name, command in programs.items():
            rows[name].append(measure(command))
    base = {way: median(rows[f"open_clip + Pillow {way}"])[0] for way in ("in turn, fp32", "in turn, bf16", "overlapped, fp32", "overlapped, bf16")}
    exact = np.load(work / "peer-False.npy")
    print("| whole process | pictures/s | " + " | ".join(f"of open_clip {way}" for way in base) +
          " | CPU use | peak MB | smallest cosine to open_clip fp32 |")
    print("| --- |" + " --- |" * 8)
    for name in programs:
        seconds, cpu, memory = median(rows[name])
        precision = name.split(", ")[1]
        vectors = (np.load(work / f"peer-{precision == 'bf16'}.npy") if name.startswith("open")
                   else np.load(work / f"out-{many.name}-{precision}/img_emb/img_emb_0.npy"))
        cosine = np.min(np.sum(vectors * exact, 1) / np.linalg.norm(vectors, axis=1))
        times = " | ".join(f"{value / seconds:.2f} x" for value in base.values())
        print(f"| {name} | {args.pictures / seconds:.1f} | {times} | {100 * cpu:.0f} % | {memory:.0f} | {cosine:.6f} |")

    print("\n| Tandem bf16 | seconds | peak MB |\n| --- | --- | --- |")
    for folder, count in ((few, args.pictures // 10), (many, args.pictures)):
        seconds, _, memory = median([measure(ours(folder, "bf16")) for _ in range(args.rounds)])
        print(f"| {count} pictures | {seconds:.2f} | {memory:.0f} |")

    one = pictures(work / "jpeg-one", 1, 500, 400)
    bytes_of = (model / "open_clip_model.safetensors").stat().st_size
    print("\n| one picture, whole process | ms to the first vector | ms in all | peak MB | of the file's size |\n| --- | --- | --- | --- | --- |")
    for precision in ("fp32", "bf16"):
        command, runs = ours(one, precision), []
        for _ in range(2 * args.rounds + 1):
            seconds, _, memory = measure(command)
            first = json.loads((pathlib.Path(command[command.index("--out") + 1]) / "stats/0.json").read_text())["first_seconds"]
            runs.append((first, seconds, memory))
        first, seconds, memory = median(runs)
        print(f"| {precision} | {1e3 * first:.0f} | {1e3 * seconds:.0f} | {memory:.0f} | {memory * 2**20 / bytes_of:.2f} |")

    print("\n| 24 JPEGs of 12 megapixels, bf16 | seconds | smallest cosine between the two |\n| --- | --- | --- |")
    plain, fast = ours(large, "bf16"), ours(large, "bf16", "--fast-jpeg")
    for command in (plain, fast):
        seconds, _, _ = median([measure(command) for _ in range(args.rounds)])
        a, b = (np.load(pathlib.Path(c[c.index("--out") + 1]) / "img_emb/img_emb_0.npy") for c in (plain, command))
        print(f"| {'as the reference' if command is plain else '--fast-jpeg'} | {seconds:.2f} | {np.min(np.sum(a * b, 1)):.5f} |")


if __name__ == "__main__":
    main()
