"""Writes tests/goldens/hf_siglip: tiny SiglipModels as transformers saves them, and what they answer. Weights are stored as
float16, so that the files stay small, and computed with in float32.

    python tools/goldens/hf_siglip.py
    python tools/goldens/hf_siglip.py check FOLDER GOLDEN.safetensors     # what transformers answers with a written folder
"""
import json
import os
import pathlib
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import oracle  # noqa: F401  (skips torchvision's operators)
import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import Siglip2Config, Siglip2Model, SiglipConfig, SiglipModel
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

import generated_model as generated
import model_naflex

GOLDENS = pathlib.Path(__file__).resolve().parents[2] / "tests/goldens"
SEED = 7
TEXT = {"vocab_size": 520, "hidden_size": 16, "intermediate_size": 43, "num_hidden_layers": 2, "num_attention_heads": 2,
        "max_position_embeddings": 12, "projection_size": 24}
VISION = {"hidden_size": 24, "intermediate_size": 55, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 36,
          "patch_size": 8}
MODELS = {
    "tanh": {"text_config": TEXT, "vision_config": VISION},
    "erf": {"text_config": {**TEXT, "hidden_act": "gelu"}, "vision_config": {**VISION, "hidden_act": "gelu", "image_size": 32}},
}


def weight(name, shape):
    """Gains from 0.2 to 5, as generated_model does for its own names."""
    if name == "logit_scale":
        return np.full(shape, 4.75, np.float32)
    if name == "logit_bias":
        return np.full(shape, -12.5, np.float32)
    z = generated.words(SEED, name, 0, int(np.prod(shape)))
    if "norm" in name:
        values = 0.2 + 4.8 * generated.uniform(z) ** 3 if name.endswith("weight") else 0.1 * generated.normal(z)
    elif name.endswith("bias"):
        values = 0.1 * generated.normal(z)
    elif "position_embedding" in name:
        values = 0.2 * generated.normal(z)
    elif "token_embedding" in name or name.endswith("probe"):
        values = 0.5 * generated.normal(z)
    else:
        values = generated.normal(z) / np.sqrt(np.prod(shape[1:]))
    return values.astype(np.float32).reshape(shape)


def answers(model, mean=0.5, std=0.5):
    vision, text = model.config.vision_config, model.config.text_config
    pixels = (torch.from_numpy(generated.pictures(SEED, 3, vision.image_size)).float() / 255 - mean) / std
    ids = generated.texts(SEED, 5, text.max_position_embeddings, text.vocab_size)
    padded = np.zeros((len(ids), text.max_position_embeddings), np.int64)
    for row, values in zip(padded, ids):
        row[: len(values)] = values
    with torch.no_grad():
        out = model(pixel_values=pixels.permute(0, 3, 1, 2).contiguous().to(model.dtype), input_ids=torch.from_numpy(padded))
    return {"image": out.image_embeds, "text": out.text_embeds, "logits": out.logits_per_image}


def main():
    tool = f"transformers {transformers.__version__}, torch {torch.__version__}, float32"
    for name, config in MODELS.items():
        model = SiglipModel(SiglipConfig(**json.loads(json.dumps(config)))).eval()
        for key, value in model.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.from_numpy(weight(key, tuple(value.shape))).half())
        folder = GOLDENS / "hf_siglip" / name
        folder.mkdir(parents=True, exist_ok=True)
        model.half().save_pretrained(folder)
        size = config["vision_config"]["image_size"]
        SiglipImageProcessorPil(size={"height": size, "width": size}).save_pretrained(folder)
        outputs = answers(SiglipModel.from_pretrained(folder, dtype=torch.float32).eval())
        exact = answers(SiglipModel.from_pretrained(folder, dtype=torch.float64).eval())
        save_file({k: v.contiguous() for k, v in outputs.items()}, folder / "outputs.safetensors", {"tool": tool, "seed": str(SEED)})
        print(name, "float32 against float64", max(float((exact[k] - outputs[k]).abs().max()) for k in ("image", "text")))


def naflex():
    """Siglip2Model, whose pictures vary in proportions."""
    vision = {k: v for k, v in VISION.items() if k != "image_size"}
    config = {"text_config": TEXT, "vision_config": {**vision, "num_patches": 25}}
    most = 30
    model = Siglip2Model(Siglip2Config(**json.loads(json.dumps(config)))).eval()
    for key, value in model.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.from_numpy(weight(key, tuple(value.shape))).half())
    folder = GOLDENS / "hf_siglip/naflex"
    folder.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(folder)
    Siglip2ImageProcessorPil(patch_size=VISION["patch_size"], max_num_patches=most).save_pretrained(folder)
    outputs, exact = (model_naflex.answers(Siglip2Model.from_pretrained(folder, dtype=dtype).eval(), SEED, most)
                      for dtype in (torch.float32, torch.float64))
    tool = f"transformers {transformers.__version__}, torch {torch.__version__}, float32"
    save_file({k: v.contiguous() for k, v in outputs.items()}, folder / "outputs.safetensors", {"tool": tool, "seed": str(SEED)})
    print("naflex float32 against float64", max(float((exact[k] - outputs[k]).abs().max()) for k in ("image", "text")))


if sys.argv[1:2] == ["check"]:
    got = answers(SiglipModel.from_pretrained(sys.argv[2], dtype=torch.float32).eval())
    want = load_file(sys.argv[3])
    print({k: float((got[k] - want[k]).abs().max()) for k in ("image", "text")})
else:
    main()
    naflex()
