"""Damages tokenizer files in many ways and checks that Tandem accepts none that sentencepiece or tokenizers refuses.

Run with the reference environment active, after building `tokenizer_spec_driver` (with sanitizers, to see that nothing
crashes):
    python tools/compare_tokenizer_mutants.py --driver BUILD/src/preprocess/tokenizer_spec_driver --count 10000
    python tools/compare_tokenizer_mutants.py --driver … --count 10000 --no-reference       # crashes only
"""

import argparse
import copy
import json
import pathlib
import random
import re
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def mutate_bytes(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        kind = rng.randrange(7)
        at = rng.randrange(len(data)) if data else 0
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del data[at : at + rng.choice((1, 1, 2, 8, 64, 4096))]
        elif kind == 3:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice((1, 2, 8))))
        elif kind == 4:
            data[at:at] = data[at : at + rng.randrange(1, 64)]
        elif kind == 5:
            data[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\x80\x80\x01"))
        else:
            other = rng.randrange(len(data)) if data else 0
            data[at : at + 8], data[other : other + 8] = data[other : other + 8], data[at : at + 8]
        if not data:
            break
    return bytes(data)


def mutate_header(rng, data):
    """As mutate_bytes, in the last part of a model, where its rules are."""
    cut = max(0, len(data) - rng.choice((64, 256, 1024)))
    return data[:cut] + mutate_bytes(rng, data[cut:])


VALUES = [None, True, False, 0, -1, 1, 1.5, 2**31, 2**40, "", "a", "▁", "BPE", "Regex", [], {}, [1], ["a", 1], {"type": "NFC"}, {"String": " "}, "1.0", 3]


def places(node, out):
    items = node.items() if isinstance(node, dict) else enumerate(node)
    items = list(items)
    for key, value in items[:30] + items[-5:]:
        out.append((node, key))
        if isinstance(value, (dict, list)):
            places(value, out)
    return out


def mutate_json(rng, text):
    root = json.loads(text)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        node, key = rng.choice(places(root, []))
        kind = rng.randrange(4)
        if isinstance(node, dict) and kind == 0:
            node.pop(key, None)
        elif isinstance(node, dict) and kind == 1:
            node[rng.choice(("type", "Type", "extra", key + "x"))] = copy.deepcopy(node.get(key))
        elif isinstance(node, list) and kind == 0 and key < len(node):
            del node[key]
        elif isinstance(node, list) and kind == 1 and key < len(node):
            node.append(copy.deepcopy(node[key]))
        else:
            try:
                node[key] = copy.deepcopy(rng.choice(VALUES))
            except IndexError:
                pass
    return json.dumps(root, ensure_ascii=rng.random() < 0.5).encode()


CHILD = r"""
import struct, sys
kind = sys.argv[1]
if kind == "sentencepiece":
    import sentencepiece
    def load(data):
        p = sentencepiece.SentencePieceProcessor()
        p.LoadFromSerializedProto(data)
        p.encode("A photo of two cats, na\u00efve \U0001f431<s> 12")
else:
    import tokenizers
    def load(data):
        t = tokenizers.Tokenizer.from_str(data.decode("utf-8"))
        t.encode("A photo of two cats, na\u00efve \U0001f431<s> 12")
out = sys.stdout.buffer
while True:
    head = sys.stdin.buffer.read(4)
    if len(head) < 4:
        break
    data = sys.stdin.buffer.read(struct.unpack("<I", head)[0])
    try:
        load(data)
        out.write(b"+")
    except BaseException:
        out.write(b"-")
    out.flush()
"""


def reference_verdicts(kind, mutants):
    """True: accepted, False: refused, None: the reference died of it. In a process of its own, begun anew after each death."""
    verdicts = []
    while len(verdicts) < len(mutants):
        rest = mutants[len(verdicts) :]
        stream = b"".join(struct.pack("<I", len(m)) + m for m in rest)
        run = subprocess.run([sys.executable, "-c", CHILD, kind], input=stream, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        verdicts += [c == ord("+") for c in run.stdout]
        if len(verdicts) < len(mutants):
            verdicts.append(None)
    return verdicts


def our_verdicts(driver, kind, mutants):
    stream = b"".join(struct.pack("<I", len(m)) + m for m in mutants)
    run = subprocess.run([driver, "load", kind], input=stream, stdout=subprocess.PIPE)
    if run.returncode != 0:
        sys.exit(f"the driver ended with {run.returncode}")
    out, at = [], 0
    while at < len(run.stdout):
        (size,) = struct.unpack_from("<I", run.stdout, at)
        out.append(run.stdout[at + 4 : at + 4 + size].decode("utf-8", "replace"))
        at += 4 + size
    assert len(out) == len(mutants)
    return out


def compare(kind, files, args):
    rng = random.Random(f"{args.seed} {kind}")
    ways = (mutate_bytes, mutate_header) if kind == "sentencepiece" else (mutate_json, mutate_json, mutate_bytes)
    bases = [f.read_bytes() for f in files]
    totals = {"accepted by both": 0, "refused by both": 0, "refused by Tandem alone": 0, "the reference died, Tandem refuses": 0,
              "the reference died, Tandem accepts": 0, "accepted by Tandem alone": 0}  # fmt: skip
    wrong = 0
    for start in range(0, args.count, 500):
        mutants = [rng.choice(ways)(rng, rng.choice(bases)) for _ in range(min(500, args.count - start))]
        ours = our_verdicts(args.driver, kind, mutants)
        if args.no_reference:
            continue
        for mutant, why, verdict in zip(mutants, ours, reference_verdicts(kind, mutants), strict=True):
            accepted = why == ""
            if verdict is None:
                totals["the reference died, Tandem " + ("accepts" if accepted else "refuses")] += 1
            elif accepted and verdict:
                totals["accepted by both"] += 1
            elif not accepted and not verdict:
                totals["refused by both"] += 1
            elif verdict:
                totals["refused by Tandem alone"] += 1
                if args.verbose:
                    print("ours only:", re.sub(r"\d+", "N", why)[:160])
            else:
                totals["accepted by Tandem alone"] += 1
                wrong += 1
                if args.keep:
                    (pathlib.Path(args.keep) / f"{kind}-{wrong}").write_bytes(mutant)
    if args.no_reference:
        print(f"{kind}: {args.count} mutants, no crash")
    else:
        print(f"{kind}: {args.count} mutants; " + ", ".join(f"{v} {k}" for k, v in totals.items()), flush=True)
    return wrong == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", default=str(ROOT / "build/release/src/preprocess/tokenizer_spec_driver"))
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "tests" / "goldens" / "tokenizers")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("sentencepiece", "json"))
    parser.add_argument("--no-reference", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="why Tandem refuses what the reference accepts")
    parser.add_argument("--keep", help="folder for what Tandem alone accepts")
    args = parser.parse_args()
    suffixes = {"sentencepiece": "model", "json": "json"}
    kinds = [args.only] if args.only else list(suffixes)
    good = [compare(kind, sorted(args.folder.glob(f"*.{suffixes[kind]}")), args) for kind in kinds]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
