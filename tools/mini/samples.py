#!/usr/bin/env python3
"""Makes the demo pictures in assets/samples: things people search for, in drawing styles that `mini` never trained on.

    python3 tools/mini/samples.py --cache data/mini/cache --out assets/samples
"""

import argparse
import io
import random
from pathlib import Path

from PIL import Image

import fetch
from emoji import EmojiTable
from render import draw_svg, on_ground
from sources import Sources

SIDE_PX = 128
COLOURS = 64
SEED = 7
_POOR = {"tram car", "love hotel", "white heart"}  # drawn as a black box, ambiguous, invisible on white
SETS = ("fxemoji", "twemoji")
# How many pictures of each Unicode subgroup; what is not listed (flags, families, arrows …) makes a poor demo.
WANTED = {
    "face-smiling": 6, "face-affection": 3, "face-tongue": 2, "face-glasses": 2, "face-sleepy": 2, "face-unwell": 3,
    "face-concerned": 4, "face-negative": 3, "face-costume": 4, "monkey-face": 1, "hand-fingers-closed": 1, "body-parts": 4,
    "person-role": 7, "person-activity": 2, "person-sport": 5, "person-fantasy": 2,
    "animal-mammal": 32, "animal-bird": 10, "animal-amphibian": 1, "animal-reptile": 5, "animal-marine": 8, "animal-bug": 8,
    "plant-flower": 8, "plant-other": 8, "food-fruit": 16, "food-vegetable": 11, "food-prepared": 18, "food-asian": 8,
    "food-sweet": 12, "drink": 10, "dishware": 3, "place-map": 2, "place-geographic": 6, "place-building": 14,
    "place-religious": 3, "place-other": 6, "transport-ground": 22, "transport-water": 6, "transport-air": 8, "time": 1,
    "sky-&-weather": 16, "event": 8, "award-medal": 3, "sport": 16, "game": 6, "arts-&-crafts": 4, "clothing": 12,
    "musical-instrument": 7, "sound": 2, "music": 2, "phone": 2, "computer": 6, "light-video": 6, "book-paper": 6, "money": 4,
    "mail": 3, "writing": 3, "office": 5, "lock": 1, "tool": 12, "science": 5, "medical": 4, "household": 8, "heart": 2,
}
_LICENCE = """# Demo pictures

Each picture is a rendering at {side} px on white, with its colours reduced to {colours}. The name of a file begins with the set
that it comes from. Neither set was used to train the `mini` model.

| files | set | authors | licence |
| --- | --- | --- | --- |
| `fxemoji-*.png` ({fxemoji}) | [FxEmoji](https://github.com/mozilla/fxemoji) (Firefox OS Emoji) | Mozilla Foundation | [Apache-2.0](https://www.apache.org/licenses/LICENSE-2.0) |
| `twemoji-*.png` ({twemoji}) | [Twemoji](https://github.com/twitter/twemoji) | Copyright Twitter, Inc and other contributors | graphics: [CC-BY-4.0](https://creativecommons.org/licenses/by/4.0/) |

The drawings were taken from the npm package `@iconify/json` {version}; captions are the labels of `emojibase-data` {emojibase}
(MIT). `tools/mini/samples.py` makes this folder.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path("data/mini/cache"), help="folder for downloads")
    parser.add_argument("--out", type=Path, default=Path("assets/samples"), help="folder for the pictures")
    args = parser.parse_args()
    fetch.fetch_all(args.cache)
    chosen = choose(Sources(args.cache), EmojiTable(args.cache).subgroups)
    args.out.mkdir(parents=True, exist_ok=True)
    for old in args.out.glob("*.png"):
        old.unlink()
    lines = []
    for picture in chosen:
        name = f"{picture.set}-{picture.names[0].replace(' ', '-')}.png"
        (args.out / name).write_bytes(small_png(picture.source))
        lines.append(f"{name}\t{picture.names[0]}")
    (args.out / "captions.tsv").write_text("file\tcaption\n" + "\n".join(sorted(lines)) + "\n")
    counts = {s: sum(p.set == s for p in chosen) for s in SETS}
    (args.out / "LICENSE.md").write_text(_LICENCE.format(
        side=SIDE_PX, colours=COLOURS, version=fetch.NPM["@iconify/json"], emojibase=fetch.NPM["emojibase-data"], **counts))
    print(f"wrote {len(chosen)} pictures: {counts}")


def choose(sources, subgroups):
    """A picture for each chosen emoji, from the sets in turn so that both styles appear everywhere."""
    by_label = {}
    for picture in sources.held_out():
        if picture.set in SETS and picture.names[0] in subgroups:
            by_label.setdefault(picture.names[0], {}).setdefault(picture.set, picture)
    rng = random.Random(SEED)
    chosen = []
    for subgroup, wanted in WANTED.items():
        labels = sorted(label for label in by_label if subgroups[label] == subgroup and not _is_gendered(label) and label not in _POOR)
        for label in rng.sample(labels, min(wanted, len(labels))):
            drawn = by_label[label]
            order = SETS[::-1] if len(chosen) % 3 == 0 else SETS  # FxEmoji has fewer pictures
            chosen.append(next(drawn[s] for s in order if s in drawn))
    return chosen


def small_png(svg: str) -> bytes:
    picture = Image.fromarray(on_ground(draw_svg(svg.encode(), SIDE_PX), 255))
    picture = picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def _is_gendered(label):
    return label.split()[0] in ("man", "woman", "men", "women")


if __name__ == "__main__":
    main()
