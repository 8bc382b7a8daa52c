"""Writes tests/goldens/model/{tiny-naflex,naflex-b-16-2-layers}.safetensors: embeddings of generated models by transformers'
Siglip2Model over pictures of several proportions (see generated_model.py), whose tensors are named here as Tandem names them,
and tests/goldens/images/naflex_sizes.json: what transformers makes of pictures' sizes.

    python tools/goldens/model_naflex.py [NAME…]      # in an environment with torch and transformers
"""
import json
import os
import pathlib
import random
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import oracle  # noqa: F401  (skips torchvision's operators)
import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers import Siglip2Config, Siglip2Model
from transformers.models.siglip2.image_processing_pil_siglip2 import get_image_size_for_max_num_patches

import generated_model as generated

GOLDENS = pathlib.Path(__file__).resolve().parents[2] / "tests/goldens"
SEED = 20260728
SHOWN = ((100, 100), (400, 100), (90, 130))  # width, height: generated_pictures() of engine/generated_model.cc
TEXT = {"no_causal_mask": True, "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6},
        "act_kwargs": {"approximate": "tanh"}}


def config(name, size, max_patches, shape, text):
    width = shape.get("width", 768)
    vision = {"image_size": size, "timm_model_name": name, "timm_model_pretrained": False, "timm_pool": "map", "timm_proj": "none",
              "timm_shape": shape}
    preprocess = {"size": size, "mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bilinear", "resize_mode": "patches",
                  "max_patches": max_patches}
    return {"model_cfg": {"embed_dim": width, "init_logit_bias": -10, "custom_text": True, "vision_cfg": vision,
                          "text_cfg": {**TEXT, "width": width, **text}}, "preprocess_cfg": preprocess}


B16, SO16 = "naflexvit_base_patch16_siglip", "naflexvit_so400m_patch16_siglip"
CONFIGS = {
    "tiny-naflex": config(B16, 56, 40, {"width": 96, "layers": 3, "heads": 4, "patch_size": 8},
                          {"context_length": 16, "vocab_size": 600, "heads": 4, "layers": 2}),
    "naflex-b-16-2-layers": config(B16, 256, 256, {"layers": 2}, {"context_length": 64, "vocab_size": 1000, "heads": 12, "layers": 1}),
}
# Checked by hand, whole: too large for every test run.
WHOLE = {
    "naflex-b-16": config(B16, 256, 256, {}, {"context_length": 64, "vocab_size": 1000, "heads": 12, "layers": 12}),
    "naflex-b-16-1024": config(B16, 256, 1024, {}, {"context_length": 64, "vocab_size": 1000, "heads": 12, "layers": 1}),
    "naflex-so400m-16": config(SO16, 256, 256, {"width": 1152}, {"context_length": 64, "vocab_size": 1000, "heads": 16, "layers": 27,
                                                                "mlp_ratio": 3.7362}),
}
FULL = {B16: (768, 12, 12, 16, 4), SO16: (1152, 27, 16, 16, 3.7362)}


def theirs(settings):
    vision, text = settings["model_cfg"]["vision_cfg"], settings["model_cfg"]["text_cfg"]
    width, layers, heads, patch, ratio = FULL[vision["timm_model_name"]]
    shape = vision["timm_shape"]
    width, layers, heads = shape.get("width", width), shape.get("layers", layers), shape.get("heads", heads)
    patch = shape.get("patch_size", patch)
    return Siglip2Config(
        vision_config={"hidden_size": width, "intermediate_size": int(width * ratio), "num_hidden_layers": layers,
                       "num_attention_heads": heads, "patch_size": patch, "num_patches": (vision["image_size"] // patch) ** 2},
        text_config={"hidden_size": text["width"], "intermediate_size": int(text["width"] * text.get("mlp_ratio", 4)),
                     "num_hidden_layers": text["layers"], "num_attention_heads": text["heads"], "vocab_size": text["vocab_size"],
                     "max_position_embeddings": text["context_length"], "projection_size": settings["model_cfg"]["embed_dim"]})


def fill(model, config):
    """Gives each tensor the numbers of the one that Tandem calls so."""
    state = model.state_dict()
    done = set()

    def put(name, *keys, shape=None):
        """Tandem's tensor `name` holds `keys` one after the other."""
        own = [tuple(state[key].shape) for key in keys]
        whole = shape or (sum(s[0] for s in own), *own[0][1:])
        values = torch.from_numpy(generated.weight(SEED, name, whole)).reshape(-1, *own[0][1:])
        for key, part in zip(keys, values.split([s[0] for s in own])):
            state[key].copy_(part)
            done.add(key)

    def both(name, key):
        put(f"{name}.weight", f"{key}.weight")
        put(f"{name}.bias", f"{key}.bias")

    def block(name, key, norm1, norm2, qkv, proj, fc1, fc2):
        both(f"{name}.{norm1}", f"{key}.layer_norm1")
        both(f"{name}.{norm2}", f"{key}.layer_norm2")
        for end in ("weight", "bias"):
            put(f"{name}.{qkv}{end}", *(f"{key}.self_attn.{x}_proj.{end}" for x in "qkv"))
        both(f"{name}.{proj}", f"{key}.self_attn.out_proj")
        both(f"{name}.{fc1}", f"{key}.mlp.fc1")
        both(f"{name}.{fc2}", f"{key}.mlp.fc2")

    width, side = config.vision_config.hidden_size, int(config.vision_config.num_patches ** 0.5)
    trunk, vision, text = "visual.trunk", "vision_model", "text_model"
    both(f"{trunk}.embeds.proj", f"{vision}.embeddings.patch_embedding")
    put(f"{trunk}.embeds.pos_embed", f"{vision}.embeddings.position_embedding.weight", shape=(1, side, side, width))
    for i in range(config.vision_config.num_hidden_layers):
        block(f"{trunk}.blocks.{i}", f"{vision}.encoder.layers.{i}", "norm1", "norm2", "attn.qkv.", "attn.proj", "mlp.fc1", "mlp.fc2")
    both(f"{trunk}.norm", f"{vision}.post_layernorm")
    pool, head = f"{trunk}.attn_pool", f"{vision}.head"
    put(f"{pool}.latent", f"{head}.probe", shape=(1, 1, width))
    for end in ("weight", "bias"):
        key = f"{head}.attention.in_proj_{end}"
        q = generated.weight(SEED, f"{pool}.q.{end}", (width, *state[key].shape[1:]))
        kv = generated.weight(SEED, f"{pool}.kv.{end}", (2 * width, *state[key].shape[1:]))
        state[key].copy_(torch.from_numpy(np.concatenate([q, kv])))
        done.add(key)
    both(f"{pool}.proj", f"{head}.attention.out_proj")
    both(f"{pool}.norm", f"{head}.layernorm")
    both(f"{pool}.mlp.fc1", f"{head}.mlp.fc1")
    both(f"{pool}.mlp.fc2", f"{head}.mlp.fc2")
    put("text.token_embedding.weight", f"{text}.embeddings.token_embedding.weight")
    put("text.positional_embedding", f"{text}.embeddings.position_embedding.weight")
    for i in range(config.text_config.num_hidden_layers):
        block(f"text.transformer.resblocks.{i}", f"{text}.encoder.layers.{i}", "ln_1", "ln_2", "attn.in_proj_", "attn.out_proj",
              "mlp.c_fc", "mlp.c_proj")
    both("text.ln_final", f"{text}.final_layer_norm")
    both("text.text_projection", f"{text}.head")
    missing = {k for k in state if k not in done and "position_ids" not in k} - {"logit_scale", "logit_bias"}
    assert not missing, missing


def pictures(seed, count, patch, max_patches):
    """transformers' three inputs of generated pictures: patches, which of them are there, and how many down and across."""
    sizes = [get_image_size_for_max_num_patches(h, w, patch, max_patches) for w, h in (SHOWN[i % 3] for i in range(count))]
    squares = generated.pictures(seed, count, max(max(s) for s in sizes))
    values = np.zeros((count, max_patches, patch * patch * 3), np.float32)
    mask = np.zeros((count, max_patches), np.int64)
    grids = [(h // patch, w // patch) for h, w in sizes]
    for i, ((h, w), (rows, columns)) in enumerate(zip(sizes, grids)):
        own = (squares[i, :h, :w].astype(np.float32) / 255 - 0.5) / 0.5
        own = own.reshape(rows, patch, columns, patch, 3).transpose(0, 2, 1, 3, 4).reshape(rows * columns, -1)
        values[i, : len(own)], mask[i, : len(own)] = own, 1
    return {"pixel_values": torch.from_numpy(values), "pixel_attention_mask": torch.from_numpy(mask),
            "spatial_shapes": torch.tensor(grids)}


def texts(seed, count, config):
    ids = generated.texts(seed, count, config.max_position_embeddings, config.vocab_size)
    padded = np.zeros((count, config.max_position_embeddings), np.int64)
    for row, values in zip(padded, ids):
        row[: len(values)] = values
    return torch.from_numpy(padded)


def answers(model, seed, max_patches, images=3, captions=5):
    own = pictures(seed, images, model.config.vision_config.patch_size, max_patches)
    own["pixel_values"] = own["pixel_values"].to(model.dtype)
    with torch.no_grad():
        out = model(input_ids=texts(seed, captions, model.config.text_config), **own)
    return {"image": out.image_embeds, "text": out.text_embeds, "logits": out.logits_per_image}


def sizes():
    rng = random.Random(1)
    rows = []
    for _ in range(400):
        w, h = (int(2 ** rng.uniform(0, 14)) for _ in range(2))
        patch, most = rng.choice([(16, 256), (16, 256), (16, 1024), (14, 100), (32, 49), (8, 1)])
        th, tw = get_image_size_for_max_num_patches(h, w, patch, most)
        if (th // patch) * (tw // patch) <= most:
            rows.append([w, h, patch, most, tw, th])
    return {"tool": f"transformers {transformers.__version__}", "columns": "width height patch most to_width to_height", "rows": rows}


def main(names):
    tool = f"transformers {transformers.__version__}, torch {torch.__version__}, float32"
    for name in names or CONFIGS:
        settings = {**CONFIGS, **WHOLE}[name]
        config = theirs(settings)
        model = Siglip2Model(config).eval()
        fill(model, config)
        most = settings["preprocess_cfg"]["max_patches"]
        outputs = answers(model, SEED, most)
        drift = float("nan")
        if name in CONFIGS:
            exact = answers(model.double(), SEED, most)
            drift = max(float((exact[k] - outputs[k]).abs().max()) for k in ("image", "text"))
        metadata = {"tool": tool, "config": json.dumps(settings), "seed": str(SEED)}
        save_file({k: outputs[k].float().contiguous() for k in ("image", "text")}, GOLDENS / f"model/{name}.safetensors", metadata)
        print(f"{name}: image {tuple(outputs['image'].shape)}, float32 against float64 {drift:.1e}, "
              f"images' cosine {float(outputs['image'][0] @ outputs['image'][1]):.3f}", flush=True)
    if not names:
        (GOLDENS / "images/naflex_sizes.json").write_text(json.dumps(sizes(), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
