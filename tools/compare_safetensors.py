"""Compares which damaged files Tandem accepts with which PyPI's safetensors accepts. Tandem must accept no more.

Run with the reference environment active, after building `safetensors_driver`:
    python tools/compare_safetensors.py --driver BUILD/src/core/safetensors_driver --count 20000
"""

import argparse
import collections
import json
import pathlib
import random
import struct
import subprocess
import sys

import safetensors

ROOT = pathlib.Path(__file__).resolve().parents[1]
PIECES = [b'"', b"{", b"}", b"[", b"]", b",", b":", b"0", b"-", b"-0", b"9", b"1e3", b"2.0", b"null", b"\\u0000", b"\\ud800",
          b"18446744073709551615", b"18446744073709551616", b"4294967296", b"F64", b"I8", b"F8_E4M3", b" ", b"\t", b"\n", b"\0",
          b"\xff", b"\xef\xbb\xbf", b"//", b"true"]


def sealed(header: bytes, data: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def by_bytes(rng, golden):
    """Byte damage anywhere, half of the time with the header's length made right again."""
    size = struct.unpack("<Q", golden[:8])[0]
    header, data = bytearray(golden[8:8 + size]), bytearray(golden[8 + size:])
    for _ in range(rng.randint(1, 3)):
        at, piece = rng.randrange(len(header)), rng.choice(PIECES)
        kind = rng.randrange(5)
        if kind == 0:
            header[at] = rng.randrange(256)
        elif kind == 1:
            header[at:at] = piece
        elif kind == 2:
            header[at:at + len(piece)] = piece
        elif kind == 3:
            del header[at:at + rng.randint(1, 4)]
        else:
            data = data[:rng.randrange(len(data) + 1)] + bytes(rng.randrange(4))
        if not header:
            break
    made = sealed(bytes(header), bytes(data))
    return made if rng.random() < 0.7 else golden[:8] + made[8:]


def random_number(rng):
    return rng.choice([0, 1, 2, 3, 4, 8, 24, -1, 1 << 32, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64, 2.0])


def by_structure(rng, golden):
    """A header that is valid JSON with wrong or odd contents."""
    size = struct.unpack("<Q", golden[:8])[0]
    header = json.loads(golden[8:8 + size])
    for _ in range(rng.randint(1, 3)):
        name = rng.choice(list(header) or ["x"])
        entry = header.get(name)
        kind = rng.randrange(9)
        if kind == 0 or not isinstance(entry, dict):
            header[name] = rng.choice([None, 1, [], {}, "x"]) if rng.random() < 0.3 else entry
        elif kind == 1 and "dtype" in entry:
            entry["dtype"] = rng.choice(["F32", "F16", "I8", "U64", "F4", "x", None, 3])
        elif kind == 2 and isinstance(entry.get("shape"), list):
            entry["shape"].insert(rng.randint(0, len(entry["shape"])), rng.choice([0, 1, 1, random_number(rng)]))
        elif kind == 3 and entry.get("shape"):
            entry["shape"][rng.randrange(len(entry["shape"]))] = random_number(rng)
        elif kind == 4 and entry.get("data_offsets"):
            entry["data_offsets"][rng.randrange(len(entry["data_offsets"]))] = random_number(rng)
        elif kind == 5:
            entry.pop(rng.choice(list(entry) or ["x"]), None)
        elif kind == 6:
            entry["extra"] = rng.choice([1, None, {"a": 1}, "x"])
        elif kind == 7:
            header["__metadata__"] = rng.choice([None, {}, {"a": "b"}, {"a": 1}, "x", [], {"a": None}])
        else:
            header.pop(name)
    text = json.dumps(header, ensure_ascii=rng.random() < 0.5).encode()
    if rng.random() < 0.1:
        text = text.replace(b'"f32"', b'"f16"')  # a name given twice
    text += rng.choice([b"", b"", b" ", b"\n", b"    ", b"\t", b"\0"])
    return sealed(text, golden[8 + size:])


def reference_accepts(data: bytes) -> bool:
    try:
        safetensors.deserialize(data)
        return True
    except Exception:  # noqa: BLE001 - whatever it raises is a refusal
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", required=True)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    folder = ROOT / "tests" / "goldens" / "safetensors"
    goldens = [(folder / name).read_bytes() for name in ("all.safetensors", "small.safetensors")]
    mutants = [rng.choice([by_bytes, by_structure])(rng, rng.choice(goldens)) for _ in range(arguments.count)]
    stream = b"".join(struct.pack("<I", len(m)) + m for m in mutants)
    answers = subprocess.run([arguments.driver], input=stream, capture_output=True, check=True).stdout.decode(errors="replace")
    ours = answers.splitlines()
    assert len(ours) == len(mutants), "the driver stopped early"
    table = collections.Counter()
    for mutant, answer in zip(mutants, ours):
        pair = (answer == "ok", reference_accepts(mutant))
        table[pair] += 1
        if pair == (True, False):
            print("ACCEPTED BY TANDEM ONLY:", mutant[:300])
        elif pair == (False, True):
            table[answer.split(": ")[-1][:60]] += 1
    print(f"safetensors {safetensors.__version__}, {len(mutants)} mutants: both accept {table[True, True]}, both refuse"
          f" {table[False, False]}, only Tandem refuses {table[False, True]}, only Tandem accepts {table[True, False]}")
    for reason, count in table.most_common():
        if isinstance(reason, str):
            print(f"  only Tandem refuses, {count} x: {reason}")
    return 1 if table[True, False] else 0


if __name__ == "__main__":
    sys.exit(main())
