#!/usr/bin/env python3
"""Makes the pictures and captions that the `mini` model learns from and is judged by.

    python3 tools/mini/build.py --out data/mini

Fetches the pinned packages, draws their icons and emoji, splits them honestly and writes WebDataset shards and a
manifest. Needs numpy, Pillow, librsvg2-2, npm and apt-get.
"""

import argparse
import json
import os
import random
import time
from collections import Counter
from pathlib import Path

import fetch
import render
import shards
import split
from phrases import HELD_OUT_ONE_IN, HOLD_OUT_SALT, is_held_out, key_of
from sources import EVALUATED_SETS, HELD_OUT_VENDORS, Sources

FORMAT = 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("data/mini"), help="folder for the shards (default: data/mini)")
    parser.add_argument("--cache", type=Path, help="folder for downloads (default: OUT/cache)")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="drawing processes (default: all cores)")
    args = parser.parse_args()
    started = time.time()

    def log(text):
        print(f"[{time.time() - started:6.1f} s] {text}", flush=True)

    build(args.out, args.cache or args.out / "cache", args.processes, log)


def build(out: Path, cache: Path, processes: int, log) -> None:
    fetch.fetch_all(cache, log)
    sources = Sources(cache)
    named = list(sources.training())
    held = list(sources.held_out())
    candidates = split.preselect(named, sources.emoji_keys)
    log(f"{len(named):,} named pictures, {len(candidates):,} to draw, and {len(held):,} of held-out vendors")
    drawn = render.draw_all([(p.kind, p.source, not p.colour) for p in candidates + held], processes, log)
    held_drawn = drawn[len(candidates):]
    parts = split.Split(candidates, drawn[:len(candidates)], held, held_drawn, sources.emoji_keys)
    log(f"{len(parts.train):,} training pictures; dropped: {dict(parts.dropped)}")

    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(split.SEED + 2)
    train = rng.sample(parts.train, len(parts.train))
    written = shards.write_shards(out, "train", train)
    written += shards.write_shards(out, "emoji", [row for row in train if row[0].emoji])
    written.append(shards.write_shard(out / "val-known.tar", parts.validation, "v", white=True))
    known = {key_of(captions[0]) for _, _, captions in parts.train}
    for name in EVALUATED_SETS:
        for kind, rows in evaluation(name, held, held_drawn, known).items():
            written.append(shards.write_shard(out / f"eval-{name}-{kind}.tar", rows, "e", white=True))
    log(f"wrote {len(written)} shards")
    manifest = describe(parts, sources, written)
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def evaluation(name, pictures, drawn, known) -> dict:
    """The pictures of one held-out set: of concepts known from training, and of concepts never seen in any style."""
    parts = {"known": [], "unseen": []}
    seen = set()
    for picture, image in zip(pictures, drawn):
        if picture.set != name or not image.png or image.sha in seen:
            continue
        seen.add(image.sha)
        key = key_of(picture.names[0])
        kind = "unseen" if is_held_out(picture.names[0]) else "known" if key in known else None
        if kind:
            parts[kind].append((picture, image, split.captions_of(picture, held_out_allowed=True)))
    return parts


def describe(parts, sources, written) -> dict:
    def count(rows, what):
        return dict(Counter(getattr(p, what) for p, _, _ in rows).most_common())

    return {
        "format": FORMAT,
        "side_px": render.SIDE_PX,
        "packages": {**{f"npm:{n}": v for n, v in fetch.NPM.items()}, **{f"debian:{n}": v for n, v in fetch.DEBIAN.items()}},
        "seed": split.SEED,
        "held_out": {"vendors": HELD_OUT_VENDORS, "concepts_one_in": HELD_OUT_ONE_IN, "concept_salt": HOLD_OUT_SALT},
        "train": {
            "samples": len(parts.train),
            "concepts": len({key_of(c[0]) for _, _, c in parts.train}),
            "captions": sum(len(c) for _, _, c in parts.train),
            "emoji": sum(p.emoji for p, _, _ in parts.train),
            "one_colour": sum(d.mono for _, d, _ in parts.train),
            "by_vendor": count(parts.train, "vendor"),
            "by_set": count(parts.train, "set"),
            "by_license": count(parts.train, "license"),
        },
        "validation": {"samples": len(parts.validation), "by_set": count(parts.validation, "set")},
        "not_named": sources.left_out,
        "dropped": dict(parts.dropped.most_common()),
        "shards": written,
    }


if __name__ == "__main__":
    main()
