"""Training mini's architecture: tandem's trainer against open_clip, same model, batch, precision and pictures, turn by turn.

    ninja -C build/release tandem_train_tool
    python bench/train_speed.py build/release/src/train/tandem_train_tool [--batch 256] [--steps 24] [--rounds 3]

in an environment with torch and open_clip_torch. tandem decodes, augments and tokenises while it trains; open_clip is
given one batch made beforehand, so its loader costs it nothing. Rates are the median over a run's second half.

Only on an idle machine with more than one core: there, oneDNN's threads wait for each other by spinning, and when other
work holds a core open_clip falls to a tenth of its rate, so that the ratio means nothing. With --cores 1 --replicas 1
neither side waits, and the ratio stands on a busy machine too.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

CONFIG = "assets/mini/train.json"
SHARDS = ["data/mini/train-00020.tar", "data/mini/emoji-00001.tar"]


def tandem(tool, args, folder):
    config = json.load(open(CONFIG))
    config["data"] = {**config["data"], "train": SHARDS, "validation": {}, "cache_pictures": False}
    config |= {"out": folder, "batch_size": args.batch, "samples": args.batch * args.steps, "log_steps": 1,
               "replicas": args.replicas, "threads": args.cores // args.replicas}  # fmt: skip
    path = os.path.join(folder, "config.json")
    json.dump(config, open(path, "w"))
    process = subprocess.Popen([tool, path], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{tool} failed")
    rates = [json.loads(line).get("samples_per_second") for line in open(os.path.join(folder, "metrics.jsonl"))]
    rates = [r for r in rates if r]
    return statistics.median(rates[len(rates) // 2 :]), usage.ru_maxrss / 1024


def open_clip_child(args):
    sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools/goldens"))
    from oracle import open_clip, torch
    from open_clip.model import CLIP

    torch.set_num_threads(args.cores)
    torch.manual_seed(0)
    model_cfg = json.load(open(CONFIG))["model"]["model_cfg"]
    text = model_cfg["text_cfg"]
    model = CLIP(model_cfg["embed_dim"], {"patch_size": None, **model_cfg["vision_cfg"]}, text)
    model = model.to(memory_format=torch.channels_last)
    size = model_cfg["vision_cfg"]["image_size"]
    images = torch.randn(args.batch, 3, size, size).to(memory_format=torch.channels_last)
    # Captions of natural length: start, 2 to 8 words, end, then padding, as its tokenizer makes them.
    tokens = torch.zeros(args.batch, text["context_length"], dtype=torch.long)
    for row in tokens:
        n = int(torch.randint(2, 9, ()))
        row[: n + 2] = torch.cat([torch.tensor([text["vocab_size"] - 2]), torch.randint(1, 8000, (n,)),
                                  torch.tensor([text["vocab_size"] - 1])])  # fmt: skip
    decays = [p for n, p in model.named_parameters() if p.ndim >= 2]
    others = [p for n, p in model.named_parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW([{"params": decays, "weight_decay": 0.1}, {"params": others, "weight_decay": 0}],
                                  lr=1e-3, betas=(0.9, 0.98), eps=1e-6)  # fmt: skip
    loss_of = open_clip.ClipLoss()
    rates = []
    for _ in range(args.steps):
        begin = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(*model(images, tokens))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, 4.6052)
        rates.append(args.batch / (time.perf_counter() - begin))
    print(statistics.median(rates[len(rates) // 2 :]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--replicas", type=int, default=2)
    args = parser.parse_args()
    if args.tool == "open_clip":
        return open_clip_child(args)
    ours, theirs = [], []
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            ours.append(tandem(args.tool, args, folder))
        child = [sys.executable, __file__, "open_clip", "--batch", str(args.batch), "--steps", str(args.steps),
                 "--cores", str(args.cores)]  # fmt: skip
        out = subprocess.run(child, check=True, capture_output=True, text=True).stdout.split()
        theirs.append((float(out[-2]), float(out[-1])))
        print(f"tandem {ours[-1][0]:.0f} samples/s, {ours[-1][1]:.0f} MB   "
              f"open_clip {theirs[-1][0]:.0f} samples/s, {theirs[-1][1]:.0f} MB", flush=True)  # fmt: skip
    ratio = statistics.median(o[0] / t[0] for o, t in zip(ours, theirs))
    print(f"ratio {ratio:.2f} (median of {args.rounds} rounds), {args.cores} cores, batch {args.batch}, bf16")


main()
