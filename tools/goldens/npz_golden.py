"""Writes tests/goldens/npz/: small archives of numpy.savez, those that Tandem reads and those it must refuse.

Run: python3 tools/goldens/npz_golden.py
"""
import io
import pathlib
import zipfile

import numpy as np

out = pathlib.Path(__file__).resolve().parents[2] / "tests/goldens/npz"
out.mkdir(parents=True, exist_ok=True)
values = np.arange(24, dtype="<f4").reshape(2, 3, 4) / 8 - 1
bf16 = (values.view("<u4") >> 16).astype("<u2").view("V2")
arrays = {"params/a/kernel": values, "params/a/bias": values[0, 0].astype("<f2"), "params/t": np.float32(2.5),
          "params/bf16": bf16, "step": np.array([3], "<i8"), "params/fortran": np.asfortranarray(values)}


class Stream(io.RawIOBase):
    """A file that cannot seek: sizes follow the data, as when written to a bucket."""
    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data)
        return len(data)


np.savez(out / "stored.npz", **arrays)
np.savez_compressed(out / "deflated.npz", **arrays)
stream = Stream()
with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
    for name, array in arrays.items():
        with archive.open(f"{name}.npy", "w") as entry:
            np.lib.format.write_array(entry, np.asanyarray(array))
(out / "streamed.npz").write_bytes(stream.data)
with zipfile.ZipFile(out / "zip64.npz", "w") as archive:  # what archives over 4 GiB have
    with archive.open("params/t.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array(entry, values)
    zipfile.ZIP_FILECOUNT_LIMIT, limit = 0, zipfile.ZIP_FILECOUNT_LIMIT
zipfile.ZIP_FILECOUNT_LIMIT = limit

np.savez(out / "refused_object.npz", a=np.array([None], dtype=object))
np.savez(out / "refused_big_endian.npz", a=values.astype(">f4"))
with zipfile.ZipFile(out / "refused_method.npz", "w", zipfile.ZIP_BZIP2) as archive:
    archive.writestr("a.npy", b"x" * 100)
with zipfile.ZipFile(out / "refused_entry.npz", "w") as archive:
    archive.writestr("readme.txt", b"x")
for file in sorted(out.glob("*.npz")):
    print(file.name, file.stat().st_size)
(out / "README").write_text(f"Made by tools/goldens/npz_golden.py with NumPy {np.__version__}.\n")
