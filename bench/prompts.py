"""1,000 ImageNet classes through 80 templates: Tandem's whole process beside open_clip's build_zero_shot_classifier.

    python bench/prompts.py TANDEM [--rounds 3] [--classes 20]    # in an environment with torch and open_clip (HACKING.md)

Same ViT-B/32 with generated weights for both. Tandem does all 80,000 texts, start and loading included; open_clip does --classes of the classes a
round (its cost is linear: each text is 77 tokens), loading not counted. Programs take turns; medians.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools/goldens"))
sys.path.insert(0, str(ROOT / "bench"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
from oracle import open_clip, torch

from pipeline import model_folder, pictures

TEMPLATES = 80


def lines(path):
    return [line.strip() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tandem")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--classes", type=int, default=20)
    args = parser.parse_args()
    from PIL import Image
    from safetensors.torch import load_file

    work = ROOT / "out/bench"
    folder = model_folder(work / "vit-b-32")
    picture = next(pictures(work / "jpeg-one", 1, 500, 400).iterdir())
    names = lines(ROOT / "assets/prompts/imagenet_classes.txt")
    templates = [lambda c, t=t: t.replace("{}", c) for t in lines(ROOT / "assets/prompts/openai.txt")]
    assert len(templates) == TEMPLATES and len(names) == 1000
    assert [t("cat") for t in templates] == [t("cat") for t in open_clip.OPENAI_IMAGENET_TEMPLATES]

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    peers = {}
    for precision in ("fp32", "bf16"):
        model = open_clip.create_model("ViT-B-32", pretrained=None)
        model.load_state_dict(load_file(folder / "open_clip_model.safetensors"))
        peers[precision] = (model.bfloat16() if precision == "bf16" else model).eval().requires_grad_(False)
    tokenizer = open_clip.get_tokenizer("ViT-B-32")

    def peer(precision):
        start = time.perf_counter()
        with torch.inference_mode():
            classes = open_clip.build_zero_shot_classifier(peers[precision], tokenizer, names[: args.classes], templates,
                                                           num_classes_per_batch=1, device="cpu")
        return (time.perf_counter() - start) / args.classes / TEMPLATES, classes

    def ours(precision):
        start = time.perf_counter()
        answer = subprocess.run([args.tandem, "classify", str(picture), "--model", str(folder), "--labels-file",
                                 str(ROOT / "assets/prompts/imagenet_classes.txt"), "--templates", "openai", "--precision", precision,
                                 "--top", "1000", "--reference", "--json"], check=True, capture_output=True, text=True).stdout
        return (time.perf_counter() - start) / len(names) / TEMPLATES, json.loads(answer)

    transform = open_clip.image_transform(224, is_train=False)
    with torch.inference_mode():
        seen = peers["fp32"].encode_image(transform(Image.open(picture))[None], normalize=True)[0]
    programs = [("open_clip", "fp32", peer), ("open_clip", "bf16", peer), ("Tandem", "fp32", ours), ("Tandem", "bf16", ours), ("Tandem", "int8", ours)]
    rows, last = {p[:2]: [] for p in programs}, {}
    for _ in range(args.rounds):
        for name, precision, run in programs:
            seconds, last[name, precision] = run(precision)
            rows[name, precision].append(seconds)
    exact = (seen @ last["open_clip", "fp32"]).numpy()
    print("| 1,000 classes x 80 templates | texts/s | of open_clip fp32 | of open_clip bf16 | largest difference of a cosine to open_clip fp32 |")
    print("| --- | --- | --- | --- | --- |")
    for key, values in rows.items():
        rate = 1 / statistics.median(values)
        against = [rate * statistics.median(rows["open_clip", p]) for p in ("fp32", "bf16")]
        if key[0] == "Tandem":
            answer = {a["label"]: a["cosine"] for a in last[key]["labels"]}
            found = np.array([answer[n] for n in names[: args.classes]])
        else:
            found = (seen @ last[key].float()).numpy()
        print(f"| {key[0]} {key[1]} | {rate:.0f} | {against[0]:.2f} x | {against[1]:.2f} x | {np.abs(found - exact).max():.1e} |", flush=True)


if __name__ == "__main__":
    main()
