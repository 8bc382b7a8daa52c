"""Compares Tandem's CLIP tokenizer with open_clip's on many strings and prints where they differ (expected: nowhere).

Run with the reference environment active, after building `tokenizer_driver`:
    python tools/compare_tokenizer.py --driver BUILD/src/preprocess/tokenizer_driver --count 250000
    python tools/compare_tokenizer.py --driver … --speed        # texts/s of both on the same captions, one core
"""

import argparse
import importlib.metadata
import importlib.util
import pathlib
import random
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools" / "goldens"))
import text_strings  # noqa: E402

VOCABULARY = ROOT / "assets" / "vocab" / "bpe_simple_vocab_16e6.txt"
CONTEXT = 77


def reference():
    """open_clip's module, loaded by path: importing all of open_clip would ask for torchvision."""
    folder = pathlib.Path(importlib.metadata.distribution("open_clip_torch").locate_file("open_clip"))
    spec = importlib.util.spec_from_file_location("open_clip_tokenizer", folder / "tokenizer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reference_ids(tokenizer, text, context=CONTEXT):
    """As SimpleTokenizer.__call__ cuts, without its padding."""
    ids = [tokenizer.sot_token_id, *tokenizer.encode(text), tokenizer.eot_token_id]
    if len(ids) > context:
        ids = ids[:context]
        ids[-1] = tokenizer.eot_token_id
    return ids


def records(texts):
    encoded = [t.encode("utf-8") for t in texts]
    return b"".join(struct.pack("<I", len(e)) + e for e in encoded)


def driver(path, texts, *arguments):
    return subprocess.run([path, str(VOCABULARY), *arguments], input=records(texts), stdout=subprocess.PIPE, check=True).stdout


def parse(output, kind):
    out, at = [], 0
    while at < len(output):
        (size,) = struct.unpack_from("<I", output, at)
        at += 4
        if kind == "ids":
            out.append(list(struct.unpack_from(f"<{size}i", output, at)))
            at += 4 * size
        else:
            out.append(output[at : at + size].decode("utf-8"))
            at += size
    return out


def compare(args, module):
    tokenizer = module.SimpleTokenizer()
    texts = text_strings.strings(args.count, args.seed, exhaustive=not args.only_random)
    ours_ids = parse(driver(args.driver, texts), "ids")
    ours_clean = parse(driver(args.driver, texts, "--clean"), "text")
    wrong = skipped = 0
    for text, ids, clean in zip(texts, ours_ids, ours_clean, strict=True):
        try:
            expected_clean = module._clean_lower(text)
            expected = reference_ids(tokenizer, text)
        except ValueError:  # int() refuses numbers of more than 4,300 digits
            skipped += 1
            continue
        if ids != expected or clean != expected_clean:
            wrong += 1
            if wrong <= args.show:
                print(f"text  {text!a}\n  expected {expected_clean!a} {expected}\n  ours     {clean!a} {ids}")
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("open_clip_torch", "ftfy", "regex"))
    print(f"{len(texts)} strings, {wrong} mismatches, {skipped} skipped (seed {args.seed}; {versions})")
    return wrong == 0


def speed(args, module):
    tokenizer = module.SimpleTokenizer()
    rng = random.Random(args.seed)
    texts = [text_strings.captions(rng) for _ in range(5000)]
    for name, sample in (("captions", texts), ("mixed", text_strings.strings(5000, args.seed))):
        tokenizer.cache = dict(list(tokenizer.cache.items())[:2])
        start = time.process_time()
        done = 0
        while time.process_time() - start < args.seconds:
            for text in sample:
                tokenizer.encode(text)
            done += len(sample)
        rate = done / (time.process_time() - start)
        ours = driver(args.driver, sample, "--seconds", str(args.seconds)).decode().strip()
        print(f"{name}: open_clip {rate:.0f} texts/s; Tandem {ours}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", default=str(ROOT / "build/release/src/preprocess/tokenizer_driver"))
    parser.add_argument("--count", type=int, default=250_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=10)
    parser.add_argument("--only-random", action="store_true", help="leave out the walk over all characters and entities")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--seconds", type=float, default=3)
    args = parser.parse_args()
    module = reference()
    if args.speed:
        speed(args, module)
    elif not compare(args, module):
        sys.exit(1)


if __name__ == "__main__":
    main()
