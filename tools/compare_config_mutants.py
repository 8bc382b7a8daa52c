"""Damages configurations in many ways and counts which ones Tandem accepts and open_clip refuses.

Run with the reference environment active, after building `config_driver` (with sanitizers, to see that nothing crashes):
    python tools/compare_config_mutants.py --driver BUILD/src/model/config_driver --count 10000
    python tools/compare_config_mutants.py --driver … --count 10000 --no-reference     # every kind of file, crashes only
The reference builds the model on torch's meta device; it is asked about at most --asked of what Tandem accepts.
"""

import argparse
import collections
import copy
import json
import pathlib
import random
import re
import struct
import subprocess
import sys
import time

from compare_tokenizer_mutants import mutate_bytes

ROOT = pathlib.Path(__file__).resolve().parents[1]
SEEDS = ROOT / "tests" / "goldens" / "fuzz"
VALUES = [None, True, False, 0, -1, 1, 2, 3, 7, 1.5, -0.5, 1e300, float("nan"), float("inf"), 2**31, 2**40, 2**63, 10**30, "", "tok", "avg",
          "none", "linear", "map", "1", [], {}, [1], [224, 224], [1, 2, 3, 4], [[[[]]]], {"a": {"b": {}}}]  # fmt: skip


def places(node, out):
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node))[:60]:
        out.append((node, key))
        if isinstance(value, (dict, list)):
            places(value, out)
    return out


def mutate_json(rng, data):
    root = json.loads(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = places(root, [])
        if not found:
            break
        node, key = rng.choice(found)
        kind = rng.randrange(6)
        value = node.get(key) if isinstance(node, dict) else None
        if isinstance(node, dict) and kind == 0:
            node.pop(key, None)
        elif isinstance(node, dict) and kind == 1:
            node[rng.choice(("extra", key + "x", key.upper()))] = copy.deepcopy(value)
        elif kind == 2 and isinstance(value, (int, float)) and not isinstance(value, bool):
            node[key] = rng.choice((0, -1, value + 1, value * 2, value / 2, value + 0.5, -value, value * 2**20, str(value)))
        elif kind == 3:
            deep = value
            for _ in range(rng.choice((1, 5, 200))):
                deep = rng.choice(([deep], {"a": deep}))
            node[key] = deep
        elif isinstance(node, dict) or key < len(node):
            node[key] = copy.deepcopy(rng.choice(VALUES))
    text = json.dumps(root, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.1:  # a key given twice
        text = re.sub(r'("[a-z_]+": [0-9]+)', r"\1, \1", text, count=1)
    return text.encode()


def mutate_tensors(rng, data):
    """Damage in a safetensors file's header, whose length is put right half of the time, or in its numbers."""
    (size,) = struct.unpack_from("<Q", data)
    head, body = data[8 : 8 + size], data[8 + size :]
    if rng.random() < 0.3:
        return data[: 8 + size] + mutate_bytes(rng, body)
    damage = mutate_json if rng.random() < 0.6 else mutate_bytes
    changed = damage(rng, head)
    return struct.pack("<Q", len(changed) if rng.random() < 0.9 else size) + changed + body


CHILD = r"""
import json, logging, struct, sys
sys.path.insert(0, sys.argv[1])
from oracle import open_clip, torch
logging.disable(logging.CRITICAL)
out = sys.stdout.buffer
while True:
    head = sys.stdin.buffer.read(4)
    if len(head) < 4:
        break
    data = sys.stdin.buffer.read(struct.unpack("<I", head)[0])
    why = b""
    try:
        config = json.loads(data)
        config = config.get("model_cfg", config)
        config.pop("custom_text", None) if "multimodal_cfg" in config else None
        custom = config.pop("custom_text", False) or "timm_model_name" in config.get("vision_cfg", {})
        made = open_clip.CoCa if "multimodal_cfg" in config else open_clip.CustomTextCLIP if custom else open_clip.CLIP
        with torch.device("meta"):
            made(**config)
    except BaseException as e:
        why = f"{type(e).__name__}: {e}".encode()[:300] or b"?"
    out.write(struct.pack("<I", len(why)) + why)
    out.flush()
"""


def records(stream):
    out, at = [], 0
    while at + 4 <= len(stream):
        (size,) = struct.unpack_from("<I", stream, at)
        out.append(stream[at + 4 : at + 4 + size].decode("utf-8", "replace"))
        at += 4 + size
    return out


def ask(command, mutants, seconds):
    stream = b"".join(struct.pack("<I", len(m)) + m for m in mutants)
    run = subprocess.run(command, input=stream, stdout=subprocess.PIPE, timeout=seconds)
    answers = records(run.stdout)
    if run.returncode != 0 or len(answers) != len(mutants):
        sys.exit(f"{command} ended with {run.returncode}")
    return answers


def judged(accepted):
    """Those of the accepted that the reference refuses, with why."""
    command = [sys.executable, "-c", CHILD, str(ROOT / "tools" / "goldens")]
    answers = ask(command, accepted, 3600)
    return [(mutant, why) for mutant, why in zip(accepted, answers, strict=True) if why]


def bases(kind):
    if kind == "quantised":
        return [(SEEDS / "tensors" / "quantised.safetensors").read_bytes()]
    if kind == "row":
        return [p.read_bytes() for p in sorted((ROOT / "assets" / "models").glob("*.json"))]
    paths = sorted((SEEDS / "model_config").glob("*.json"))
    family = {"hf-clip": "hf_clip-", "hf-siglip": "hf_siglip-", "hf-preprocess": "hf_"}.get(kind)
    if not family:
        return [p.read_bytes() for p in paths if not p.name.startswith("hf_")]
    processor = kind == "hf-preprocess"
    return [p.read_bytes() for p in paths if p.name.startswith(family) and ("preprocessor" in p.name) == processor]


def compare(kind, args):
    rng = random.Random(f"{args.seed} {kind}")
    starts = bases(kind)
    starts = [b for b, why in zip(starts, ask([args.driver, kind], starts, 300), strict=True) if not why]
    if not starts:
        sys.exit(f"{kind}: none of the files is accepted undamaged")
    ways = (mutate_tensors,) if kind == "quantised" else (mutate_json, mutate_json, mutate_json, mutate_bytes)
    mutants = [rng.choice(ways)(rng, rng.choice(starts)) for _ in range(args.count)]
    begin = time.monotonic()
    answers = []
    for at in range(0, len(mutants), 1000):
        answers += ask([args.driver, kind], mutants[at : at + 1000], 300)
    seconds = time.monotonic() - begin
    accepted = [m for m, why in zip(mutants, answers, strict=True) if not why]
    unread = collections.Counter(re.sub(r"\d+", "N", why)[:140] for why in answers if why.startswith("written: "))
    for why, count in unread.most_common():
        print(f"{kind}: {count} x accepted, but not once written: {why}")
    print(f"{kind}: {len(mutants)} mutants of {len(starts)} files, {len(accepted)} accepted, no crash, {seconds:.1f} s", flush=True)
    if kind != "open-clip" or args.no_reference:
        return
    own = (b"timm_shape", b"hf_config")  # keys that only Tandem has
    fit = [m for m in accepted if not any(key in m for key in own)][: args.asked]
    wrong = judged(fit)
    print(f"{kind}: open_clip was asked about {len(fit)} of them and refuses {len(wrong)}")
    table = collections.Counter(re.sub(r"\d+", "N", why)[:110] for _, why in wrong)
    for why, count in table.most_common(25):
        example = next(m for m, w in wrong if re.sub(r"\d+", "N", w)[:110] == why)
        print(f"  {count} x {why}" + (f"\n      {example[:600]!r}" if args.verbose else ""))


def main():
    kinds = ("open-clip", "hf-clip", "hf-siglip", "hf-preprocess", "quantised", "row")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", default=str(ROOT / "build/release/src/model/config_driver"))
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--asked", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=kinds)
    parser.add_argument("--no-reference", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    for kind in [args.only] if args.only else kinds:
        compare(kind, args)


if __name__ == "__main__":
    main()
