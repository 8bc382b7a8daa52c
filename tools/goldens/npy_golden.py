"""Writes tests/goldens/npy/: small files of numpy.save, those that Tandem reads and those it must refuse.

Made with NumPy 2.x (the version is in README). Run: python3 tools/goldens/npy_golden.py
"""

import pathlib

import numpy as np

out = pathlib.Path(__file__).resolve().parents[2] / "tests" / "goldens" / "npy"
out.mkdir(parents=True, exist_ok=True)
values = np.array([[0, 1, -2.5], [65504, 6e-8, np.inf]], dtype="<f4")

np.save(out / "f4.npy", values)
np.save(out / "f2.npy", values.astype("<f2"))
np.save(out / "empty.npy", values[:0])
with open(out / "version2.npy", "wb") as file:
    np.lib.format.write_array(file, values, version=(2, 0))

np.save(out / "f8.npy", values.astype("<f8"))
np.save(out / "big_endian.npy", values.astype(">f4"))
np.save(out / "fortran.npy", np.asfortranarray(values))
np.save(out / "rank1.npy", values[0])
np.save(out / "rank3.npy", values[None])
np.save(out / "object.npy", np.array([["a", None]], dtype=object), allow_pickle=True)
(out / "README").write_text(f"Made by tools/goldens/npy_golden.py with NumPy {np.__version__}.\n")
