"""Writes src/cli/self_test_values.h, what `tandem doctor` compares with: the first rows of tests/goldens/model/tiny.safetensors,
which open_clip computed (model_goldens.py).

    python3 tools/goldens/self_test.py
"""
import json
import struct
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = 2  # of pictures and of texts: enough to notice a wrong kernel

raw = (ROOT / "tests/goldens/model/tiny.safetensors").read_bytes()
size = struct.unpack("<Q", raw[:8])[0]
header = json.loads(raw[8:8 + size])


def rows(name):
    entry = header[name]
    assert entry["dtype"] == "F32"
    width = entry["shape"][1]
    begin = 8 + size + entry["data_offsets"][0]
    return struct.unpack(f"<{ROWS * width}f", raw[begin:begin + 4 * ROWS * width])


def array(name, values):
    lines = []
    for first in range(0, len(values), 6):
        lines.append("    " + " ".join(f"{v:.9g}F," if v != int(v) else f"{v:.1f}F," for v in values[first:first + 6]))
    return f"inline constexpr std::array<float, {len(values)}> {name}{{\n" + "\n".join(lines) + "\n};\n"


tool = header["__metadata__"]["tool"]
(ROOT / "src/cli/self_test_values.h").write_text(
    f"""// Embeddings of a tiny generated model: {ROWS} pictures, {ROWS} texts. Made by tools/goldens/self_test.py from
// {tool}.
#pragma once

#include <array>

namespace tandem::cli {{

// clang-format off
{array("kSelfTestImages", rows("image"))}
{array("kSelfTestTexts", rows("text"))}// clang-format on

}}  // namespace tandem::cli
""")
