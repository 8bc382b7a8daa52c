#!/usr/bin/env python3
"""Writes the attribution of every picture set that `mini` was trained and judged on, from the manifest of a build.

    python3 tools/mini/credits.py --data data/mini --out assets/mini/SOURCES.md
"""

import argparse
import json
from pathlib import Path

import fetch

_HEAD = """# Where the pictures and words of `mini` come from

The `mini` model was trained on {samples:,} pictures of {concepts:,} concepts from the sets below, all under permissive licences:
{licences}. The pictures were drawn at {side} px from the npm package `@iconify/json` {iconify} unless stated; each set remains its
authors' work under its own licence. `tools/mini` reproduces the data. Names of companies and products, where any are left,
are their owners' marks and no endorsement.

## Trained on

| set | authors | licence | pictures |
| --- | --- | --- | --- |
"""
_WORDS = """
## Words

| source | what | licence |
| --- | --- | --- |
| npm `emojibase-data` {emojibase} | labels, tags and short codes of emoji | MIT, Miles Johnson; built on Unicode CLDR (Unicode licence) |
| npm `@tabler/icons` {tabler} | tags | MIT, Paweł Kuna |
| npm `lucide-static` {lucide} | tags | ISC, Lucide Contributors |
| npm `@mdi/svg` {mdi} | aliases | Apache-2.0, Pictogrammers |
| npm `@phosphor-icons/core` {phosphor} | tags | MIT, Phosphor Icons |

## Judged on, never trained on

Their near copies were looked for in all the sets above and left out of training.

| set | authors | licence | pictures (concepts known from other styles + never seen) |
| --- | --- | --- | --- |
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data/mini"), help="folder with manifest.json")
    parser.add_argument("--cache", type=Path, help="folder of downloads (default: DATA/cache)")
    parser.add_argument("--out", type=Path, default=Path("assets/mini/SOURCES.md"), help="file to write")
    args = parser.parse_args()
    manifest = json.loads((args.data / "manifest.json").read_text())
    iconify = fetch.npm_folder(args.cache or args.data / "cache", "@iconify/json")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(credits(manifest, json.loads((iconify / "collections.json").read_text())))


def credits(manifest, collections) -> str:
    train = manifest["train"]
    text = _HEAD.format(
        samples=train["samples"], concepts=train["concepts"], side=manifest["side_px"], iconify=fetch.NPM["@iconify/json"],
        licences=", ".join(f"{name} ({count:,})" for name, count in train["by_license"].items()))
    for name, count in sorted(train["by_set"].items()):
        text += _row(name, collections, f"{count:,}")
    short = {n.split("/")[0].lstrip("@").split("-")[0]: v for n, v in fetch.NPM.items()}
    text += _WORDS.format(**short)
    for vendor in manifest["held_out"]["vendors"]:
        known, unseen = (next(s["samples"] for s in manifest["shards"] if s["file"] == f"eval-{vendor}-{kind}.tar")
                         for kind in ("known", "unseen"))
        text += _row(vendor, collections, f"{known:,} + {unseen:,}")
    return text


def _row(name, collections, count) -> str:
    if name == "fluent-emoji-3d":
        return f"| Fluent Emoji 3D (npm `@lobehub/fluent-emoji-3d` {fetch.NPM['@lobehub/fluent-emoji-3d']}) | Microsoft Corporation | MIT | {count} |\n"
    if name == "openclipart":
        return ("| [Open Clip Art Library 0.18](https://openclipart.org) (Debian `openclipart-svg`) | its contributors | public domain "
                f"dedication | {count} |\n")
    info = collections[name]
    author, licence = info["author"], info["license"]
    return (f"| {info['name']} (`{name}`) | {_link(author['name'], author.get('url'))} | "
            f"{_link(licence['spdx'], licence.get('url'))} | {count} |\n")


def _link(text, url) -> str:
    return f"[{text}]({url})" if url else text


if __name__ == "__main__":
    main()
