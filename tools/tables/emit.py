"""Writes generated C++ data headers in the house format. Shared by the scripts in this folder."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def array(name, numbers, kind="std::uint32_t", comment=""):
    """A constexpr array of numbers, hexadecimal where that is shorter."""
    text = ", ".join(min(str(n), hex(n), key=len) for n in numbers)
    return f"{comment}inline constexpr {kind} {name}[] = {{{text}}};\n\n"


def string(name, text, comment=""):
    """A constexpr ASCII string, cut into literals of one line each."""
    rows = [text[i : i + 88] for i in range(0, len(text), 88)]
    body = "\n    ".join(f'"{row}"' for row in rows)
    return f"{comment}inline constexpr std::string_view {name} =\n    {body};\n\n"


def write(path, head, body):
    """Writes `path` (relative to the repository) and formats it."""
    full = ROOT / path
    includes = "#include <cstdint>\n#include <string_view>\n"
    full.write_text(f"{head}#pragma once\n\n{includes}\nnamespace tandem::tables {{\n\n{body}}}  // namespace tandem::tables\n")
    subprocess.run(["clang-format-19", "-i", str(full)], check=True)
    print(f"{path}: {full.stat().st_size} bytes", file=sys.stderr)
