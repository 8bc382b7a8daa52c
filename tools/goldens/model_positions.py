"""Writes tests/goldens/model_positions/positions.safetensors: position embeddings resampled by timm.

    python tools/goldens/model_positions.py
"""
import pathlib

from oracle import torch
import timm
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed

torch.manual_seed(0)
tensors = {}
for prefix, old, new in ((1, 4, 6), (1, 7, 3), (0, 5, 9), (0, 2, 7)):
    rows = torch.randn(1, prefix + old * old, 3)
    tensors[f"{prefix}-{old}-{new}.from"] = rows
    tensors[f"{prefix}-{old}-{new}.to"] = resample_abs_pos_embed(rows, [new, new], [old, old], num_prefix_tokens=prefix)
path = pathlib.Path(__file__).parents[2] / "tests/goldens/model_positions/positions.safetensors"
save_file(tensors, path, {"tool": f"timm {timm.__version__}, torch {torch.__version__}, seed 0"})
