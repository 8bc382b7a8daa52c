"""Writes tests/goldens/model_fastvit/apple_names.json: for each tensor of small models under Apple's names (ml-mobileclip), what
open_clip's convert_state_dict calls it, and both shapes. Each tensor holds its number, by which it is found again.

    python tools/goldens/mobileclip_names.py
"""
import json
import re

from oracle import open_clip, torch
import timm
from open_clip.convert import convert_state_dict
from open_clip.model import CustomTextCLIP
import open_clip.timm_model

import model_fastvit as fastvit

TEXT = [("text_projection", "projection_layer"), ("token_embedding", "embedding_layer"), ("ln_final", "final_layer_norm"),
        ("transformer.resblocks.", "transformer."), ("ln_1", "pre_norm_mha.0"), ("ln_2", "pre_norm_ffn.0"),
        ("mlp.c_fc", "pre_norm_ffn.1"), ("mlp.c_proj", "pre_norm_ffn.4"), ("attn.in_proj_weight", "attn.qkv_proj.weight"),
        ("attn.in_proj_bias", "attn.qkv_proj.bias"), ("attn.", "pre_norm_mha.1.")]
VIT = [("patch_embed.backbone.", "patch_emb."), ("norm1", "pre_norm_mha.0"), ("norm2", "pre_norm_ffn.0"),
       ("mlp.fc1", "pre_norm_ffn.1"), ("mlp.fc2", "pre_norm_ffn.4"), ("attn.qkv.", "attn.qkv_proj."), ("attn.proj.", "attn.out_proj."),
       ("attn.", "pre_norm_mha.1."), (".conv.", ".block.conv."), (".bn.", ".block.norm."), ("blocks.", "transformer.")]
FAST = [("final_conv", "conv_exp"), ("stem", "patch_embed"), ("conv_kxk", "rbr_conv"), ("conv_scale", "rbr_scale"),
        ("identity", "rbr_skip"), ("large_conv", "lkb_origin"), ("mlp", "convffn"), ("se.fc1", "se.reduce"), ("se.fc2", "se.expand"),
        (".gamma", "")]


def apply(name, pairs):
    for ours, theirs in pairs:
        name = name.replace(ours, theirs, 1)
    return name


def apple(name, value):
    """Apple's name and shape of an open_clip tensor; no name for what Apple leaves out."""
    if name == "text.positional_embedding":
        return "text_encoder.positional_embedding.pos_embed.pos_embed", [1, 1, *value.shape]
    if name.startswith("text."):
        return "text_encoder." + apply(name[5:], TEXT), list(value.shape)
    if not name.startswith("visual."):
        return name, list(value.shape)
    rest = name.removeprefix("visual.trunk.")
    if rest in ("head.bias", "head.fc.bias"):
        return "", []
    if rest in ("head.weight", "head.fc.weight"):
        return "image_encoder.model." + ("classifier" if rest == "head.weight" else "head") + ".proj", list(value.T.shape)
    if rest == "pos_embed":
        return "image_encoder.model.pos_embed.pos_embed.pos_embed", [1, *value.shape]
    stage = re.match(r"stages\.(\d)\.(\w+)\.(.*)", rest)
    if not stage:
        pairs = FAST if rest.startswith(("stem", "final_conv")) else VIT
        if rest.startswith("norm."):
            return "image_encoder.model.post_transformer_norm." + rest[5:], list(value.shape)
        return "image_encoder.model." + apply(rest, pairs), list(value.shape)
    i, part, rest = int(stage[1]), stage[2], stage[3]
    # Parts in a row: blocks, downsampling, blocks, …; positions before the last blocks.
    if part == "downsample":
        return f"image_encoder.model.network.{2 * i - 1}.{apply(rest, FAST)}", list(value.shape)
    if part == "pos_emb":
        return f"image_encoder.model.network.{2 * i}.{rest.replace('pos_enc', 'pe')}", list(value.shape)
    return f"image_encoder.model.network.{2 * i + (i == 3)}.{apply(rest, FAST)}", list(value.shape)


def rows(name):
    settings, trunk = fastvit.CONFIGS[name]
    open_clip.timm_model.timm.create_model = fastvit.smaller(trunk, settings["vision_cfg"]["image_size"])
    model = CustomTextCLIP(settings["embed_dim"], dict(settings["vision_cfg"]), dict(settings["text_cfg"]))
    theirs, numbers = {}, {}
    for ours, value in model.state_dict().items():
        key, shape = apple(ours, value)
        if key:
            numbers[len(numbers) + 1] = key
            theirs[key] = torch.full(shape, float(len(numbers)))
    out = []
    for ours, value in convert_state_dict(model, theirs).items():
        number = int(value.flatten()[0]) if value.numel() else 0
        out.append([numbers.get(number, ""), list(theirs[numbers[number]].shape) if number else [], ours, list(value.shape)])
    assert {row[2] for row in out} == set(model.state_dict()), set(model.state_dict()) ^ {row[2] for row in out}
    return {"config": settings, "trunk": trunk, "tensors": out}


def main():
    out = {"tool": f"open_clip {open_clip.__version__}, timm {timm.__version__}",
           "models": {name: rows(name) for name in ("tiny-mci-vit", "tiny-mci0")}}
    (fastvit.GOLDENS / "model_fastvit/apple_names.json").write_text(json.dumps(out, separators=(",", ":")).replace('],["', '],\n["') + "\n")


main()
