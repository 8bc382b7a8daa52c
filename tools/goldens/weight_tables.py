"""Writes tests/goldens/model_tables/tables.json: names, shapes, initial spread and weight decay of open_clip's own models.

Run: python tools/goldens/weight_tables.py (with open_clip_torch 3.3.0, torch 2.13.0 installed)
"""
import json
import pathlib

from oracle import open_clip, torch

TINY_VIT = {"embed_dim": 32, "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8,
            "ls_init_value": 0.1, "mlp_ratio": 3.0, "no_ln_pre": True},
            "text_cfg": {"context_length": 16, "vocab_size": 600, "width": 48, "heads": 4, "layers": 2}}
TINY_RESNET = {"embed_dim": 32, "vision_cfg": {"image_size": 64, "layers": [1, 2, 1, 1], "width": 16, "head_width": 64},
               "text_cfg": {"context_length": 16, "vocab_size": 600, "width": 64, "heads": 2, "layers": 1}}


def table(config):
    torch.manual_seed(0)
    model = open_clip.CLIP(**config)
    trainable = {name for name, _ in model.named_parameters()}
    rows = {}
    for name, value in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        excluded = value.ndim < 2 or any(part in name for part in ("bn", "ln", "bias", "logit_scale"))
        rows[name] = {
            "shape": list(value.shape),
            "mean": round(value.float().mean().item(), 6),
            "std": round(value.float().std().item(), 6) if value.numel() > 1 else 0.0,
            "trainable": name in trainable,
            "decays": name in trainable and not excluded,
        }
    return {"config": config, "tensors": rows}


def main():
    configs = {"tiny-vit": TINY_VIT, "tiny-resnet": TINY_RESNET}
    for name in ("ViT-B-32", "RN50"):
        configs[name] = open_clip.get_model_config(name)
    out = {"tool": f"open_clip_torch {open_clip.__version__}, torch {torch.__version__}",
           "models": {name: table(config) for name, config in configs.items()}}
    path = pathlib.Path(__file__).parents[2] / "tests/goldens/model_tables/tables.json"
    path.write_text(json.dumps(out, separators=(",", ":")).replace('},"', '},\n"') + "\n")


main()
