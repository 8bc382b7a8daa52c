"""Compares which damaged .npz archives Tandem accepts with which NumPy accepts. Tandem must accept no more, and read the same.

Run with the reference environment active, after building `npz_driver`:
    python tools/compare_npz.py --driver BUILD/src/core/npz_driver --count 10000
"""
import argparse
import collections
import io
import pathlib
import random
import struct
import subprocess
import sys
import warnings
import zipfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
PIECES = [b"'", b'"', b"{", b"}", b"(", b")", b",", b" ", b"\n", b"\t", b"0", b"-1", b"9", b"1e3", b"2.0", b"True", b"False", b"None", b"3L",
          b"0x2", b"1_0", b"<f4", b">f4", b"<f8", b"|V2", b"O", b"\0", b"\xff", b"#", b"4294967296", b"9223372036854775807"]


def damage(rng, data, pieces):
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        if not data:
            break
        at, kind = rng.randrange(len(data)), rng.randrange(5)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del data[at:at + rng.randint(1, 4)]
        elif kind == 3:
            piece = rng.choice(pieces)
            data[at:at] = piece
        else:
            piece = rng.choice(pieces)
            data[at:at + len(piece)] = piece
    return bytes(data)


def by_bytes(rng, golden):
    return damage(rng, golden, [b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\1\0", b"\x08"])


def by_record(rng, golden):
    """Damage to the archive's own records, where it counts."""
    data = bytearray(golden)
    for _ in range(rng.randint(1, 2)):
        mark = rng.choice([b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7"])
        places = [i for i in range(len(data) - 3) if data[i:i + 4] == mark]
        if places:
            at = rng.choice(places) + rng.randrange(4, 56)
            if at < len(data):
                data[at] = rng.choice([0, 1, 2, 8, 255, (data[at] + rng.choice([-1, 1, 4])) % 256, rng.randrange(256)])
    return bytes(data)


def by_header(rng, golden):
    """An archive in order around arrays whose headers are damaged."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(golden)) as source, zipfile.ZipFile(out, "w", rng.choice([0, 8])) as archive:
        chosen = rng.choice(source.namelist())
        for name in source.namelist():
            data = source.read(name)
            if name == chosen:
                size = struct.unpack("<H", data[8:10])[0]
                header = damage(rng, data[10:10 + size].rstrip(b" \n"), PIECES) + b" " * rng.randint(0, 3) + b"\n" * rng.randint(0, 2)
                data = data[:8] + struct.pack("<H", len(header)) + header + data[10 + size:]
                data = damage(rng, data, [b"\0"]) if rng.random() < 0.1 else data
            archive.writestr(name if rng.random() < 0.98 else name[:-1] + rng.choice("xyé\0"), data)
    return out.getvalue()


def numpy_reads(data):
    try:
        with np.load(io.BytesIO(data)) as archive:
            for name in archive.files:
                if not isinstance(archive[name], np.ndarray):
                    return f"{name} is no array"
        return "ok"
    except Exception as e:  # noqa: BLE001  (whatever NumPy refuses it with)
        return f"{type(e).__name__}: {e}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", required=True)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = random.Random(args.seed)
    goldens = [(ROOT / f"tests/goldens/npz/{name}.npz").read_bytes() for name in ("stored", "deflated", "streamed", "zip64")]
    cases = goldens + [rng.choice([by_bytes, by_record, by_header, by_header])(rng, rng.choice(goldens)) for _ in range(args.count)]
    answers = subprocess.run([args.driver], input=b"".join(struct.pack("<I", len(c)) + c for c in cases), stdout=subprocess.PIPE,
                             check=True).stdout.decode(errors="replace").splitlines()
    assert len(answers) == len(cases), "the driver stopped early"
    counts = collections.Counter()
    for i, (case, ours) in enumerate(zip(cases, answers)):
        theirs = numpy_reads(case)
        counts["Tandem " + ("accepts" if ours == "ok" else "refuses"), "NumPy " + ("accepts" if theirs == "ok" else "refuses")] += 1
        if ours == "ok" and theirs != "ok":
            (pathlib.Path("/tmp") / f"npz-{i}.npz").write_bytes(case)
            print(f"case {i}: Tandem accepts; NumPy: {theirs}")
    for pair, count in sorted(counts.items()):
        print(*pair, count)
    sys.exit(any("accepts" in ours and "refuses" in theirs for ours, theirs in counts))


main()
