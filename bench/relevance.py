#!/usr/bin/env python3
"""How well the calibrated cut-off tells queries with an answer from those without, against one flat cut-off.

    python3 bench/relevance.py --tandem build/release/bin/tandem [--model mini] [--set NAME=FOLDER …]

A set is a folder of pictures with captions.tsv (file, caption; a first line "file caption" is passed over), or of X.jpg with X.txt (its
caption: a class, whatever precedes a line's end). Half of a set's captions, drawn at random, are kept out: a collection is made of the
pictures of the others, and every caption is asked for. Those kept out are absent: the right answer is "nothing relevant". Repeated.

  absent refused   of absent captions, those answered "nothing relevant"
  present answered of present captions, those answered with something
  best right kept  of present captions whose best right picture is among the first ten, those that still show it
  right shown      of right pictures among the first ten, those that are shown
  right of shown   of the pictures shown among the first ten for present captions, those that are right

"flat here" is a single score that refuses the same share of absent captions, chosen on this very set with its labels; "flat elsewhere" is the
one chosen so on the first set: what a program with one built-in number does.
"""
import argparse
import collections
import json
import os
import random
import subprocess
import tempfile
from pathlib import Path


def read_set(folder):
    """[(file, caption)]"""
    table = folder / "captions.tsv"
    if table.exists():
        rows = [line.split("\t")[:2] for line in table.read_text().splitlines()]
        return [(folder / name, caption) for name, caption in rows if name != "file"]
    return [(picture, picture.with_suffix(".txt").read_text().strip()) for picture in sorted(folder.glob("*.jpg"))]


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def ask(options, pictures, captions, work):
    """{caption: [(score, relevant, caption of the row)]}, ten rows each."""
    folder = work / "pictures"
    folder.mkdir()
    of_name = {}
    for number, (path, caption) in enumerate(pictures):
        name = f"{number:06d}{path.suffix}"
        os.symlink(path.resolve(), folder / name)
        of_name[name] = caption
    store = work / "c.tandem"
    run(options.tandem, "index", folder, "--to", store, "--model", options.model, "--quiet")
    run(options.tandem, "search", store, "--calibrate", "--quiet")
    queries = work / "queries.txt"
    queries.write_text("".join(json.dumps(caption, ensure_ascii=False) + "\n" for caption in captions))
    answers = collections.defaultdict(list)
    for line in run(options.tandem, "search", store, "--queries", queries, "--json", "--all", "--top", 10).splitlines():
        row = json.loads(line)
        answers[row["query"]].append((row["score"], row["relevant"], of_name[Path(row["path"]).name]))
    return list(answers.values())


def measure(answers, captions, present, passes):
    """Counts of what the docstring lists; passes(score, relevant) says whether a row is shown."""
    count = collections.Counter()
    for caption, rows in zip(captions, answers, strict=True):
        shown = [row for row in rows if passes(row[0], row[1])]
        if caption not in present:
            count["absent"] += 1
            count["refused"] += not shown
            continue
        count["present"] += 1
        count["answered"] += bool(shown)
        right = [row for row in rows if row[2] == caption]
        count["right"] += len(right)
        count["findable"] += bool(right)
        if right:
            count["kept"] += passes(right[0][0], right[0][1])
        count["right shown"] += sum(row[2] == caption for row in shown)
        count["shown"] += len(shown)
    return count


def flat_like(trials, share):
    """The lowest score that refuses this share of absent captions."""
    peaks = sorted(rows[0][0] for captions, present, answers in trials for caption, rows in zip(captions, answers) if caption not in present)
    return peaks[min(len(peaks) - 1, round(share * len(peaks)))]


def show(name, rule, count):
    def share(part, whole):
        return f"{100 * count[part] / max(1, count[whole]):5.1f} %"
    print(f"| {name} | {rule} | {share('refused', 'absent')} | {share('answered', 'present')} | {share('kept', 'findable')} | "
          f"{share('right shown', 'right')} | {share('right shown', 'shown')} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tandem", default="build/release/bin/tandem")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--set", action="append", default=[], help="NAME=FOLDER; assets/samples comes first")
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sets = {"samples": Path("assets/samples")} | dict((name, Path(folder)) for name, folder in (each.split("=", 1) for each in options.set))
    print("| set | cut-off | absent refused | present answered | best right kept | right shown | right of shown |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    elsewhere = None
    for name, folder in sets.items():
        pictures = read_set(folder)
        captions = sorted({caption for _, caption in pictures})
        random_ = random.Random(options.seed)
        trials = []
        for _ in range(options.trials):
            present = set(random_.sample(captions, len(captions) // 2))
            with tempfile.TemporaryDirectory() as work:
                answers = ask(options, [row for row in pictures if row[1] in present], captions, Path(work))
            trials.append((captions, present, answers))

        def total(passes):
            return sum((measure(answers, captions, present, passes) for captions, present, answers in trials), collections.Counter())
        calibrated = total(lambda score, relevant: relevant)
        flat = flat_like(trials, calibrated["refused"] / calibrated["absent"])
        label = f"{name} ({len(pictures)} pictures, {len(captions)} captions)"
        show(label, "calibrated", calibrated)
        show("", f"flat here, {flat:.3f}", total(lambda score, _: score >= flat))
        if elsewhere is None:
            elsewhere = flat
        else:
            show("", f"flat elsewhere, {elsewhere:.3f}", total(lambda score, _: score >= elsewhere))


if __name__ == "__main__":
    main()
