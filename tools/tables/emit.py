"""Writes generated C++ data headers. Shared by the scripts in this folder."""

import pathlib
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLUMNS = 240  # data is looked up, not read: few long lines


def array(name, numbers, kind="std::uint32_t", comment=""):
    """A constexpr array of numbers, hexadecimal where that is shorter."""
    text = ", ".join(min(str(n), hex(n), key=len) for n in numbers)
    return f"{comment}inline constexpr {kind} {name}[] = {{\n{textwrap.fill(text, COLUMNS)}}};\n\n"


def string(name, text, comment=""):
    """A constexpr ASCII string, cut into literals of one line each."""
    rows = [text[i : i + COLUMNS] for i in range(0, len(text), COLUMNS)]
    body = "\n".join(f'"{row}"' for row in rows)
    return f"{comment}inline constexpr std::string_view {name} =\n{body};\n\n"


def write(path, head, body):
    """Writes `path`, relative to the repository."""
    full = ROOT / path
    includes = "#include <cstdint>\n#include <string_view>\n"
    body = f"namespace tandem::tables {{\n\n// clang-format off\n{body}// clang-format on\n\n}}  // namespace tandem::tables\n"
    full.write_text(f"{head}#pragma once\n\n{includes}\n{body}")
    print(f"{path}: {full.stat().st_size} bytes", file=sys.stderr)
