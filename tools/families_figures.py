#!/usr/bin/env python3
"""Writes the table "How close" of docs/families.md from the properties that engine_cpu_test records.

    build/release/src/engine/engine_cpu_test --gtest_filter='*GoldenModel*' --gtest_output=xml:out.xml
    python3 tools/families_figures.py out.xml
"""
import pathlib
import sys
import xml.etree.ElementTree as xml

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs/families.md"
BEGIN, END = "<!-- families_figures.py writes from here -->\n", "<!-- to here, figures -->\n"
TESTS = {"EqualsOpenClipInFloat32": "fp32", "StaysCloseToOpenClipInBf16": "bf16", "StaysCloseToOpenClipInInt8": "int8"}


def main():
    found = {}
    for case in xml.parse(sys.argv[1]).getroot().iter("testcase"):
        test, _, model = case.get("name").partition("/")
        values = {p.get("name"): float(p.get("value")) for p in case.iter("property")}
        if test in TESTS and {"image", "text"} <= values.keys():
            found.setdefault(model.replace("_", "-"), {})[TESTS[test]] = values
    lines = ["| model | fp32 image / text | bf16 image / text | int8 image / text |", "| --- | --- | --- | --- |"]
    for model, row in found.items():
        cells = []
        for precision in TESTS.values():
            digits = ".1e" if precision == "fp32" else ".5f"
            cells.append(" / ".join(format(row[precision][k], digits) for k in ("image", "text")) if precision in row else "")
        lines.append(f"| {model} | {' | '.join(cells)} |")
    page = PAGE.read_text()
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    PAGE.write_text(page[:begin] + "\n".join(lines) + "\n" + page[end:])


main()
