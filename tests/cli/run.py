#!/usr/bin/env python3
"""Runs transcript tests of the command line. Standard library only.

    python3 tests/cli/run.py --bin build/release/bin --make-model build/release/bin/make_model tests/cli/classify.test

A transcript is blocks of one command with what it must answer, run in order in a fresh folder that fixtures.py fills:

    # a comment
    $ tandem classify red.png --labels red,blue --model tiny
    picture  label  probability
    red.png  [..]
    ! a line on stderr
    = 0

Lines must come in this order on their stream. [..] stands for anything within a line, a line ... for any lines. "= N" is the
exit code, 0 when not stated. "$tty" in place of "$" gives the command a terminal of 80 columns, on which both streams are one
and escape sequences are shown as \\e.
"""
import argparse
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import fixtures

TIMEOUT_S = 120


class Block:
    def __init__(self, line_number, command, terminal):
        self.line_number, self.command, self.terminal = line_number, command, terminal
        self.out, self.err, self.code = [], [], 0


def read_blocks(path):
    blocks = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("$"):
            marker, command = line.split(" ", 1)
            blocks.append(Block(number, command, marker == "$tty"))
        elif line.startswith("#") or not blocks:
            continue
        elif line.startswith("= "):
            blocks[-1].code = int(line[2:])
        elif line.startswith("! "):
            blocks[-1].err.append(line[2:])
        else:
            blocks[-1].out.append(line)
    for block in blocks:
        while block.out and not block.out[-1]:
            block.out.pop()
    return blocks


def fits(pattern, line):
    parts = [re.escape(part) for part in pattern.split("[..]")]
    return re.fullmatch(".*".join(parts), line) is not None


def matches(patterns, lines):
    """Whether the lines are what the patterns say; "..." takes as few lines as needed."""
    if not patterns:
        return not lines
    if patterns[0] == "...":
        return any(matches(patterns[1:], lines[i:]) for i in range(len(lines) + 1))
    return bool(lines) and fits(patterns[0], lines[0]) and matches(patterns[1:], lines[1:])


def run_plain(block, folder, env):
    done = subprocess.run(["bash", "-c", block.command], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=TIMEOUT_S)
    return done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"), done.returncode


def run_on_terminal(block, folder, env):
    parent, child = pty.openpty()
    ioctl(child, TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(["bash", "-c", block.command], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=child, stderr=child)
    os.close(child)
    shown = b""
    try:
        while data := os.read(parent, 65536):
            shown += data
    except OSError:  # how Linux says that the other end is closed
        pass
    code = process.wait(TIMEOUT_S)
    os.close(parent)
    return shown.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\\r").replace("\x1b", "\\e"), "", code


def lines_of(text):
    lines = text.split("\n")
    while lines and not lines[-1]:
        lines.pop()
    return [line.rstrip() for line in lines]


def check(block, folder, env):
    out, err, code = (run_on_terminal if block.terminal else run_plain)(block, folder, env)
    wrong = []
    if code != block.code:
        wrong.append(f"exit code {code}, expected {block.code}")
    if not matches([p.rstrip() for p in block.out], lines_of(out)):
        wrong.append("stdout differs")
    if not matches([p.rstrip() for p in block.err], lines_of(err)):
        wrong.append("stderr differs")
    if wrong:
        print(f"line {block.line_number}: $ {block.command}\n  {'; '.join(wrong)}")
        for name, want, got in (("stdout", block.out, out), ("stderr", block.err, err)):
            print(f"  {name} expected:" + "".join(f"\n    |{line}" for line in want))
            print(f"  {name} got:" + "".join(f"\n    |{line}" for line in lines_of(got)))
    return not wrong


def run_file(path, options):
    folder = Path(tempfile.mkdtemp(prefix="tandem-test-"))
    env = {"PATH": f"{Path(options.bin).resolve()}:{os.environ['PATH']}", "HOME": str(folder),
           "TESTS": str(Path(__file__).resolve().parent), "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
    env |= {name: os.environ[name] for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}
    try:
        fixtures.make(folder, Path(options.make_model).resolve())
        results = [check(block, folder, env) for block in read_blocks(path)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{path.name}: {sum(results)} of {len(results)} commands as written")
    return bool(results) and all(results)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--make-model", required=True)
    parser.add_argument("tests", nargs="+", type=Path)
    options = parser.parse_args()
    sys.exit(0 if all([run_file(path, options) for path in options.tests]) else 1)


if __name__ == "__main__":
    main()
