#!/usr/bin/env python3
"""Checks who includes whom (DESIGN "Rooms"): a file of src/ROOM may include only its own room and those below it.

Also: public headers include the standard library and tandem/ only, no #if in src/ or include/, no file over 600 lines.
Run: tools/layers.py. Prints each breach and exits 1 when there is one.
"""
import pathlib
import re
import subprocess
import sys

BELOW = {
    "core": [],
    "preprocess": ["core"],
    "data": ["core"],
    "parquet": ["core"],  # a program of its own
    "index": ["core"],
    "model": ["preprocess"],
    "engine": ["model"],
    "tasks": ["engine", "index", "data"],
    "train": ["engine", "data"],
    "serve": ["tasks"],
    "cli": ["tasks", "train", "serve", "index", "data", "engine"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
CONDITION = re.compile(r"^\s*#\s*(if|ifdef|ifndef)\b")
MOST_LINES = 600


def allowed(room):
    seen, todo = {room}, list(BELOW[room])
    while todo:
        other = todo.pop()
        if other not in seen:
            seen.add(other)
            todo += BELOW[other]
    return seen


def breaches_of(path, text):
    parts = path.parts
    public = parts[0] == "include"
    room = None if public else parts[1]
    rooms = set() if public else allowed(room)
    highway = "hwy/foreach_target.h" in text  # Highway compiles one file per target and needs its own guards
    for number, line in enumerate(text.splitlines(), 1):
        if CONDITION.match(line) and not highway:
            yield f"{path}:{number}: preprocessor condition. Optional parts are stub files picked by CMake."
        found = INCLUDE.match(line)
        if not found:
            continue
        quote, name = found.groups()
        first = name.split("/")[0]
        if public and ((quote == "<" and "/" in name) or (quote == '"' and first != "tandem")):
            yield f"{path}:{number}: a public header includes {name}. Expected the standard library or tandem/."
        if not public and quote == '"' and first in BELOW and first not in rooms:
            yield f"{path}:{number}: {room} includes {name}. It may include {', '.join(sorted(rooms))}."
    lines = text.count("\n")
    if lines > MOST_LINES:
        yield f"{path}: {lines} lines. Expected at most {MOST_LINES}: split it by idea."


def main():
    listed = subprocess.run(["git", "ls-files", "src/*.h", "src/*.cc", "include/*.h"], capture_output=True, text=True, check=True)
    found = []
    files = [pathlib.Path(name) for name in listed.stdout.splitlines()]
    for path in files:
        if path.exists():
            found += breaches_of(path, path.read_text())
    print("\n".join(found) or f"layers: {len(files)} files, no breach")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
