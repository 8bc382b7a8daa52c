"""Writes tests/goldens/train/*.safetensors: one training step's loss, gradients and batch norm statistics by open_clip on
generated models (see generated_model.py). Of each gradient: its norm, and up to 64 values at even distances.

    python tools/goldens/train_gradients.py      # in an environment with torch and open_clip_torch
"""
import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
from oracle import open_clip, torch
from safetensors.torch import save_file

import generated_model as generated
from model_goldens import CONFIGS, MEAN, SEED, STD, build

import numpy as np

COUNT = 6
KEPT = 64


def inputs(config):
    pixels = generated.pictures(SEED, COUNT, config["vision_cfg"]["image_size"])
    images = ((torch.from_numpy(pixels).float() / 255 - MEAN) / STD).permute(0, 3, 1, 2).contiguous()
    text = config["text_cfg"]
    ids = generated.texts(SEED, COUNT, text["context_length"], text["vocab_size"])
    padded = np.zeros((COUNT, text["context_length"]), np.int64)
    for row, values in zip(padded, ids):
        row[: len(values)] = values
    return images, torch.from_numpy(padded)


def sample(tensor):
    flat = tensor.reshape(-1)
    return flat[:: max(1, (flat.numel() + KEPT - 1) // KEPT)]


def step(model, images, tokens):
    """Loss, gradients by name, and statistics after one forward pass in training mode."""
    model.train()
    loss = open_clip.ClipLoss()(*model(images, tokens))
    loss.backward()
    gradients = {n: p.grad for n, p in model.named_parameters()}
    statistics = {n: b for n, b in model.named_buffers() if "running_" in n}
    return loss.detach(), gradients, statistics


def main():
    folder = os.path.join(os.path.dirname(__file__), "../../tests/goldens/train")
    os.makedirs(folder, exist_ok=True)
    for name in ("tiny", "tiny-quick-gelu", "tiny-layer-scale", "tiny-resnet"):
        config = CONFIGS[name]
        images, tokens = inputs(config)
        loss, gradients, statistics = step(build(config), images, tokens)
        exact = step(build(config).double(), images.double(), tokens)
        drift = max(float((gradients[n] - g).abs().max() / (g.norm() + 1e-3)) for n, g in exact[1].items())
        out = {"loss": loss.reshape(1)}
        for n, g in gradients.items():
            out["grad." + n] = sample(g).clone()
            out["norm." + n] = g.norm().reshape(1)
        for n, b in statistics.items():
            out["after." + n] = b.clone()
        metadata = {"tool": f"open_clip {open_clip.__version__}, torch {torch.__version__}, float32",
                    "config": json.dumps(config), "seed": str(SEED), "count": str(COUNT), "kept": str(KEPT)}
        save_file(out, f"{folder}/{name}.safetensors", metadata)
        print(f"{name}: loss {float(loss):.6f}, gradients' drift against float64 {drift:.1e} of their norm")


main()
