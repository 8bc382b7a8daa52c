"""Writes tests/goldens/safetensors/: files of PyPI's safetensors, and a digest of NumPy's float16 conversion.

Run: python3 tools/goldens/safetensors_golden.py    (needs safetensors, torch, numpy; versions go into README)
"""

import hashlib
import pathlib

import numpy as np
import safetensors
import safetensors.torch
import torch

out = pathlib.Path(__file__).resolve().parents[2] / "tests" / "goldens" / "safetensors"
out.mkdir(parents=True, exist_ok=True)
values = torch.tensor([[0.0, 1.0, -2.5], [65504.0, 0.125, -0.0]])

safetensors.torch.save_file(
    {
        "f64": values.double(),
        "f32": values,
        "f16": values.half(),
        "bf16": values.bfloat16(),
        "i64": torch.tensor([1 << 40, -1]),
        "i32": torch.tensor([[7], [-7]], dtype=torch.int32),
        "i16": torch.tensor([-300], dtype=torch.int16),
        "i8": torch.tensor([-128, 127], dtype=torch.int8),
        "u8": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 4),
        'näme "quoted"': torch.tensor([1.0]),
    },
    out / "all.safetensors",
    metadata={"format": "pt", "note": "ünï\n\"code\""},
)
safetensors.torch.save_file({"weight": torch.arange(6.0).reshape(2, 3)}, out / "small.safetensors")

# A million float bit patterns, spread over all exponents. NaN is left out: its payload is free.
bits = (np.arange(1 << 20, dtype=np.uint64) * 2654435761 % (1 << 32)).astype(np.uint32)
bits = bits[(bits & 0x7FFFFFFF) <= 0x7F800000]
with np.errstate(over="ignore"):
    halves = bits.view(np.float32).astype(np.float16)
(out / "README").write_text(
    f"Made by tools/goldens/safetensors_golden.py with safetensors {safetensors.__version__},"
    f" torch {torch.__version__}, NumPy {np.__version__}.\n"
    f"sha256 of the halves of float bits i * 2654435761 mod 2^32, i < 2^20, without NaN: "
    f"{hashlib.sha256(halves.tobytes()).hexdigest()}\n"
)
