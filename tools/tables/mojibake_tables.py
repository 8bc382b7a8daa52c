"""Writes src/preprocess/mojibake_tables.h: what ftfy knows about text that was read in the wrong encoding.

The heuristics are those of ftfy (Robyn Speer, Apache-2.0): which character sequences look wrong (ftfy/badness.py),
which characters look like bytes of UTF-8 (ftfy/chardata.py), and which encodings to try. Its expression for bad
sequences is compiled here into a table-driven automaton, so that our code needs no regular expressions and looks at
each character once. Run with the reference environment active.
"""

import importlib.metadata
import re
import warnings

import emit

warnings.simplefilter("ignore")
from ftfy import bad_codecs, badness, chardata  # noqa: E402

bad_codecs.ok()
parser = re._parser
OPS = re._constants
CLUES = ["utf8_first_of_2", "utf8_first_of_3", "utf8_first_of_4", "utf8_continuation", "utf8_continuation_strict"]


class CharSet:
    """One place of the expression: does it take this character?"""

    def __init__(self, op, value):
        self.op, self.value = op, value

    def named(self):
        """Characters that the expression names one by one."""
        if self.op in (OPS.LITERAL, OPS.NOT_LITERAL):
            return {self.value}
        out = set()
        for op, value in self.value if self.op is OPS.IN else []:
            if op is OPS.LITERAL:
                out.add(value)
            elif op is OPS.RANGE:
                out.update(range(value[0], value[1] + 1))
        return out

    def takes(self, c):
        if self.op is OPS.ANY:
            return c != 10
        if self.op in (OPS.LITERAL, OPS.NOT_LITERAL):
            return (c == self.value) == (self.op is OPS.LITERAL)
        negated = self.value[0][0] is OPS.NEGATE
        return any(self._item(c, *item) for item in self.value) != negated

    @staticmethod
    def _item(c, op, value):
        s = chr(c)
        if op is OPS.CATEGORY:
            return {OPS.CATEGORY_SPACE: s.isspace(), OPS.CATEGORY_WORD: s.isalnum() or s == "_"}[value]
        if op is OPS.RANGE:
            return value[0] <= c <= value[1]
        return op is OPS.LITERAL and c == value


def alternatives():
    """The expression as (anchored at the start?, [CharSet, ...]) with optional places written out."""
    tree = parser.parse(badness.BADNESS_RE.pattern, re.VERBOSE)
    found = []
    flatten([], False, list(tree), found)
    return found


def flatten(done, anchored, rest, found):
    """Walks the parsed expression: branches, optional items, an anchor, and single characters are all it has."""
    if not rest:
        found.append((anchored, done))
        return
    (op, value), rest = rest[0], rest[1:]
    if op is OPS.BRANCH:
        for branch in value[1]:
            flatten(done, anchored, list(branch) + rest, found)
    elif op is OPS.MAX_REPEAT:
        low, high, items = value
        assert (low, high) == (0, 1)
        flatten(done, anchored, rest, found)
        flatten(done, anchored, list(items) + rest, found)
    elif op is OPS.AT:
        assert value is OPS.AT_BEGINNING and not done
        flatten(done, True, rest, found)
    else:
        assert op in (OPS.LITERAL, OPS.NOT_LITERAL, OPS.IN, OPS.ANY)
        flatten(done + [CharSet(op, value)], anchored, rest, found)


def character_classes(alts, chars):
    """Numbers the ways in which characters differ for the expression. Returns {char: class} and one char per class.

    Characters that no set names differ only in being a space, a word character or neither: classes 0, 1 and 2 are those.
    """
    places = [place for _, places in alts for place in places]

    def signature(c):
        return tuple(place.takes(c) for place in places)

    unnamed = [0x4E00, 0x2003, 0x2603]  # a word character, a space, neither
    numbers = {}
    classes = {c: numbers.setdefault(signature(c), len(numbers)) for c in unnamed + sorted(chars)}
    assert [classes[c] for c in unnamed] == [0, 1, 2]
    samples = {}
    for c, number in classes.items():
        samples.setdefault(number, c)
    return classes, [samples[i] for i in range(len(numbers))]


def automaton(alts, samples):
    """Subset construction. State 0 is the start of a text, 1 is 'bad' and final. Returns rows of next states."""
    starts = frozenset((a, 0) for a, (anchored, _) in enumerate(alts) if not anchored)
    first = frozenset((a, 0) for a in range(len(alts)))
    states, rows, queue = {first: 0}, {}, [first]
    while queue:
        state = queue.pop()
        row = []
        for c in samples:
            moved = {(a, i + 1) for a, i in state if alts[a][1][i].takes(c)}
            if any(i == len(alts[a][1]) for a, i in moved):
                row.append(1)
                continue
            target = starts | moved
            if target not in states:
                states[target] = len(states) + (len(states) >= 1)
                queue.append(target)
            row.append(states[target])
        rows[states[state]] = row
    rows[1] = [1] * len(samples)
    return [rows[i] for i in range(len(rows))]


def minimized(rows):
    """Moore's partition refinement; keeps states 0 and 1 where they are."""
    groups = [int(i == 1) for i in range(len(rows))]
    while True:
        keys = [(groups[i], tuple(groups[t] for t in row)) for i, row in enumerate(rows)]
        numbers = {}
        for key in [keys[0], keys[1], *keys]:
            numbers.setdefault(key, len(numbers))
        refined = [numbers[key] for key in keys]
        if len(set(refined)) == len(set(groups)):
            firsts = [refined.index(g) for g in range(len(numbers))]
            return [[refined[t] for t in rows[i]] for i in firsts]
        groups = refined


def verify(rows, samples):
    """Compares the automaton with ftfy's expression on every transition (Chow's W-method): a way to each state, each
    class of character, and endings that tell each pair of states apart."""
    access = {0: ""}
    queue = [0]
    for state in queue:
        for number, target in enumerate(rows[state]):
            if target not in access:
                access[target] = access[state] + chr(samples[number])
                queue.append(target)
    assert len(access) == len(rows)

    def bad(state, text):
        for char in text:
            state = rows[state][numbers[char]]
        return state == 1

    numbers = {chr(c): i for i, c in enumerate(samples)}
    endings = [""]
    singles = list(numbers)
    groups = {}
    while len(groups) < len(rows):  # add endings until every state answers differently
        groups = {tuple(bad(state, e) for e in endings): state for state in range(len(rows))}
        candidates = singles + [a + e for a in singles for e in endings]
        best = max(candidates, key=lambda e: len({(tuple(bad(s, x) for x in endings), bad(s, e)) for s in range(len(rows))}))
        if len(groups) < len(rows):
            endings.append(best)
    count = 0
    for state, way in access.items():
        for char in singles:
            for ending in endings:
                text = way + char + ending
                count += 1
                assert bad(0, text) == badness.is_bad(text), repr(text)
    print(f"automaton equals ftfy's expression on {count} strings")


def encoding_bytes():
    """For each encoding that ftfy tries, what its upper bytes decode to; and windows-1252's gaps."""
    upper = bytes(range(0x80, 0x100))
    tables = {name: upper.decode(name) for name in chardata.CHARMAP_ENCODINGS}
    for name, table in tables.items():
        assert len(set(table)) == 128 and min(table) >= "\x80" and max(table) < "\uffff"
        low = bytes(range(0x80)).decode(name)
        expected = "\ufffd" if name.startswith("sloppy") else "\x1a"
        assert low == "".join(map(chr, range(0x80))).replace("\x1a", expected)
    return tables


def main():
    alts = alternatives()
    tables = encoding_bytes()
    clues = {name: {ord(c) for c in expand(chardata.UTF8_CLUES[name])} for name in CLUES}
    assert not (clues[CLUES[0]] & clues[CLUES[1]] or clues[CLUES[1]] & clues[CLUES[2]] or clues[CLUES[0]] & clues[CLUES[2]])
    chars = set(range(0x80)).union(*clues.values(), *(map(ord, t) for t in tables.values()))
    chars = chars.union(*(place.named() for _, places in alts for place in places))
    classes, samples = character_classes(alts, chars)
    rows = minimized(automaton(alts, samples))
    verify(rows, samples)
    assert len(rows) < 256 and max(chars) <= 0xFFFF
    records = []
    for c in sorted(chars):
        bits = sum(1 << i for i, name in enumerate(CLUES) if c in clues[name])
        records += [c, classes[c], bits]
        if c >= 0x80:
            records += [ord(chr(c).encode(name, "replace")) if chr(c) in table else 0 for name, table in tables.items()]
        else:
            records += [c] * len(tables)
    head = (
        "// Generated by tools/tables/mojibake_tables.py: do not edit.\n"
        f"// The heuristics of ftfy {importlib.metadata.version('ftfy')} (Robyn Speer, Apache-2.0).\n"
    )
    body = f"inline constexpr int kEncodings = {len(tables)};\ninline constexpr int kCharClasses = {len(samples)};\n\n"
    body += emit.array(
        "kMojibakeChars",
        records,
        "std::uint16_t",
        "// Sorted rows: character, its class for the automaton, its clues (bits 0-4: first of 2, of 3, of 4 bytes of UTF-8,\n"
        "// continuation, strict continuation), then its byte in each encoding or 0:\n"
        f"// {', '.join(tables)}.\n",
    )
    body += emit.array(
        "kBadnessStates",
        [n for row in rows for n in row],
        "std::uint8_t",
        "// Rows of next states by character class. 0: start of a text, 1: bad.\n",
    )
    emit.write("src/preprocess/mojibake_tables.h", head, body)
    print(len(alts), "alternatives,", len(samples), "classes,", len(rows), "states,", len(chars), "characters")


def expand(text):
    """A character class's text: single characters and ranges."""
    return [chr(c) for c in CharSet(OPS.IN, parser.parse(f"[{text}]")[0][1]).named()]


if __name__ == "__main__":
    main()
