"""Writes tests/goldens/big_vision: tiny SigLIPs as archives of big_vision, and what open_clip answers after its own
load_big_vision_weights. Arrays are stored as float16, computed with in float32.

    python tools/goldens/big_vision.py
"""
import json
import os
import pathlib

os.environ.setdefault("HF_HUB_OFFLINE", "1")
from oracle import open_clip, torch
import numpy as np
from open_clip.convert import load_big_vision_weights
from safetensors.torch import save_file

import generated_model as generated
from model_goldens import SEED, inputs
from model_siglip import B16, SIGLIP, SO16, TANH, build, config

GOLDENS = pathlib.Path(__file__).resolve().parents[2] / "tests/goldens"
TEXT = {"vocab_size": 520, "context_length": 12, "width": 16, "heads": 2, "layers": 2, **SIGLIP}
MODELS = {
    "layers": config(B16, 36, 24, {"width": 24, "layers": 2, "heads": 3, "patch_size": 8}, TEXT),
    "stacked": config(SO16, 32, 24, {"width": 24, "layers": 2, "heads": 3, "patch_size": 8}, {**TEXT, **TANH}),
}


def heads_first(weight, heads):
    """(H*h, D) as nn.Linear has it -> (D, H, h)."""
    return weight.T.reshape(weight.shape[1], heads, -1)


def block(state, prefix, names, heads):
    norm1, norm2, qkv, out, fc1, fc2 = (prefix + name for name in names)
    arrays = {}
    for i, letter in enumerate(("query", "key", "value")):
        rows = np.split(state[qkv + "weight"], 3)[i]
        arrays[f"MultiHeadDotProductAttention_0/{letter}/kernel"] = heads_first(rows, heads)
        arrays[f"MultiHeadDotProductAttention_0/{letter}/bias"] = np.split(state[qkv + "bias"], 3)[i].reshape(heads, -1)
    arrays["MultiHeadDotProductAttention_0/out/kernel"] = state[out + ".weight"].T.reshape(heads, -1, state[out + ".weight"].shape[0])
    arrays["MultiHeadDotProductAttention_0/out/bias"] = state[out + ".bias"]
    return {**arrays, **tail(state, {"LayerNorm_0": norm1, "LayerNorm_1": norm2}, {"Dense_0": fc1, "Dense_1": fc2})}


def tail(state, norms, dense):
    arrays = {}
    for theirs, ours in norms.items():
        arrays[f"{theirs}/scale"], arrays[f"{theirs}/bias"] = state[ours + ".weight"], state[ours + ".bias"]
    for theirs, ours in dense.items():
        arrays[f"MlpBlock_0/{theirs}/kernel"], arrays[f"MlpBlock_0/{theirs}/bias"] = state[ours + ".weight"].T, state[ours + ".bias"]
    return arrays


def blocks(scope, layers, stacked):
    if stacked:
        return {f"{scope}encoderblock/{k}": np.stack([layer[k] for layer in layers]) for k in layers[0]}
    return {f"{scope}encoderblock_{i}/{k}": v for i, layer in enumerate(layers) for k, v in layer.items()}


def archive(settings, state, stacked):
    vision, text = settings["vision_cfg"]["timm_shape"], settings["text_cfg"]
    trunk, pool = "visual.trunk.", "visual.trunk.attn_pool."
    out = {"img/embedding/kernel": state[trunk + "patch_embed.proj.weight"].transpose(2, 3, 1, 0),
           "img/embedding/bias": state[trunk + "patch_embed.proj.bias"], "img/pos_embedding": state[trunk + "pos_embed"]}
    out |= blocks("img/Transformer/", [block(state, f"{trunk}blocks.{i}.", ("norm1", "norm2", "attn.qkv.", "attn.proj", "mlp.fc1",
                                                                             "mlp.fc2"), vision["heads"])
                                       for i in range(vision["layers"])], stacked)
    out |= {f"img/Transformer/encoder_norm/{a}": state[f"{trunk}norm.{b}"] for a, b in (("scale", "weight"), ("bias", "bias"))}
    head, mha = "img/MAPHead_0/", "img/MAPHead_0/MultiHeadDotProductAttention_0/"
    letters = {"query": (state[pool + "q.weight"], state[pool + "q.bias"])}
    for i, letter in enumerate(("key", "value")):
        letters[letter] = (np.split(state[pool + "kv.weight"], 2)[i], np.split(state[pool + "kv.bias"], 2)[i])
    for letter, (weight, bias) in letters.items():
        out[f"{mha}{letter}/kernel"] = heads_first(weight, vision["heads"])
        out[f"{mha}{letter}/bias"] = bias.reshape(vision["heads"], -1)
    out[head + "probe"] = state[pool + "latent"]
    out[mha + "out/kernel"] = state[pool + "proj.weight"].T.reshape(vision["heads"], -1, vision["width"])
    out[mha + "out/bias"] = state[pool + "proj.bias"]
    out |= {head + k: v for k, v in tail(state, {"LayerNorm_0": pool + "norm"}, {"Dense_0": pool + "mlp.fc1", "Dense_1": pool + "mlp.fc2"}).items()}
    out |= {"txt/Embed_0/embedding": state["text.token_embedding.weight"], "txt/pos_embedding": state["text.positional_embedding"][None]}
    out |= blocks("txt/Encoder_0/", [block(state, f"text.transformer.resblocks.{i}.", ("ln_1", "ln_2", "attn.in_proj_", "attn.out_proj",
                                                                                        "mlp.c_fc", "mlp.c_proj"), text["heads"])
                                     for i in range(text["layers"])], stacked)
    out |= {f"txt/Encoder_0/encoder_norm/{a}": state[f"text.ln_final.{b}"] for a, b in (("scale", "weight"), ("bias", "bias"))}
    out |= {"txt/head/kernel": state["text.text_projection.weight"].T, "txt/head/bias": state["text.text_projection.bias"]}
    out |= {"t": state["logit_scale"].reshape(1), "b": state["logit_bias"].reshape(1)}
    return {"params/" + k: np.ascontiguousarray(v, dtype=np.float16) for k, v in out.items()}


def main():
    tool = f"open_clip {open_clip.__version__}, NumPy {np.__version__}, torch {torch.__version__}, float32"
    for name, settings in MODELS.items():
        folder = GOLDENS / "big_vision" / name
        folder.mkdir(parents=True, exist_ok=True)
        model = build(settings)
        arrays = archive(settings, {k: v.numpy() for k, v in model.state_dict().items()}, stacked=name == "stacked")
        if name == "stacked":
            np.savez_compressed(folder / "siglip.npz", **arrays)
        else:
            np.savez(folder / "siglip.npz", **arrays)
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": settings}, indent=1) + "\n")
        for value in model.parameters():
            value.data.fill_(float("nan"))  # so that whatever the archive does not set is noticed
        load_big_vision_weights(model, str(folder / "siglip.npz"))
        images, tokens = inputs(settings)
        with torch.no_grad():
            outputs = {"image": model.encode_image(images, normalize=True), "text": model.encode_text(tokens, normalize=True),
                       "logit_scale": model.logit_scale.detach(), "logit_bias": model.logit_bias.detach()}
        assert all(bool(v.isfinite().all()) for v in outputs.values())
        save_file({k: v.float().contiguous() for k, v in outputs.items()}, folder / "outputs.safetensors",
                  {"tool": tool, "config": json.dumps(settings), "seed": str(SEED)})
        print(name, {k: tuple(v.shape) for k, v in outputs.items()}, os.path.getsize(folder / "siglip.npz"))


main()
