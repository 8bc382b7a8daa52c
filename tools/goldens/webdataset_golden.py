"""Writes tests/goldens/webdataset/{ustar,gnu,pax}.tar: the same samples in the three tar dialects of Python's tarfile.

The third key is longer than a ustar name field, so that GNU and pax use their extension headers (ustar splits it at a
slash). Run: python3 tools/goldens/webdataset_golden.py
"""

import io
import json
import pathlib
import platform
import tarfile

out = pathlib.Path(__file__).resolve().parents[2] / "tests" / "goldens" / "webdataset"
out.mkdir(parents=True, exist_ok=True)
long_key = "a" * 90 + "/" + "b" * 40
members = [
    ("./", None),
    ("000.png", b"picture zero"),
    ("000.json", json.dumps({"captions": ["a cat", " a small cat\n"], "concept": 7, "phrase": "cat"}).encode()),
    ("000.txt", b"not read: the JSON has captions"),
    ("dir.v1/001.seg.png", b"not a picture member"),
    ("dir.v1/001.JPG", b"picture one" * 60),
    ("dir.v1/001.txt", "ein Hündchen\n".encode()),
    (long_key + ".webp", b"picture two"),
    (long_key + ".json", json.dumps({"caption": "two", "url": "x"}).encode()),
]
for name, dialect in (("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
    with tarfile.open(out / f"{name}.tar", "w", format=dialect) as tar:
        for member, data in members:
            info = tarfile.TarInfo(member)
            if data is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data or b""))
(out / "README").write_text(f"Made by tools/goldens/webdataset_golden.py with Python {platform.python_version()}.\n")
