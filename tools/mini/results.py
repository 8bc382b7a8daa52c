#!/usr/bin/env python3
"""Writes assets/mini/RESULTS.md: what `mini` scores on vendors and concepts it never saw.

Run: python3 tools/mini/results.py build/release/bin/tandem [MODEL]   (data/mini must exist: make mini-data)
"""
import json
import pathlib
import subprocess
import sys

SETS = [
    ("eval-twemoji-known", "Twemoji, concepts known from other styles"),
    ("eval-twemoji-unseen", "Twemoji, concepts never seen in any style"),
    ("eval-openmoji-known", "OpenMoji, known concepts"),
    ("eval-openmoji-unseen", "OpenMoji, concepts never seen"),
    ("eval-fxemoji-known", "FxEmoji, known concepts"),
    ("eval-fxemoji-unseen", "FxEmoji, concepts never seen"),
    ("eval-emojione-known", "EmojiOne, known concepts"),
    ("eval-emojione-unseen", "EmojiOne, concepts never seen"),
]


def measure(tandem, model, name):
    command = [tandem, "eval", f"data/mini/{name}.tar", "--model", model, "--json", "--quiet"]
    if name.endswith("-known"):  # colours of a concept can only be learnt where it was seen
        command += ["--baseline", "data/mini/train-*.tar"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines() if line.strip()]


def percent(value):
    return "" if value is None else f"{100 * value:.1f}"


def table(title, rows):
    first = rows[0]
    yield f"### {title}"
    yield ""
    yield f"{first['pictures']:,} pictures of {first['concepts']:,} concepts."
    yield ""
    yield "| measure | % | 95 % interval | chance | colour histogram |"
    yield "| --- | --- | --- | --- | --- |"
    for r in rows:
        interval = f"{percent(r['low'])} to {percent(r['high'])}"
        yield f"| {r['measure']} | **{percent(r['value'])}** | {interval} | {100 * r['chance']:.2f} | {percent(r['histogram'])} |"
    yield ""


def main():
    tandem, model = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "mini"
    path = pathlib.Path("assets/mini/RESULTS.md")
    about = pathlib.Path("tools/mini/results_about.md").read_text()
    lines = [about]
    for name, title in SETS:
        lines += table(title, measure(tandem, model, name))
    path.write_text("\n".join(lines))
    print(f"wrote {path}")


main()
