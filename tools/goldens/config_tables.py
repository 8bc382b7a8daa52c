"""Writes tests/goldens/model_tables/configs.json: for every configuration that open_clip ships with CLIP's own text tower, how many
tensors its model has and a hash of their names and shapes. timm_tables.py has tensors by name of EVA and SigLIP.

    python tools/goldens/config_tables.py            # writes the file
    python tools/goldens/config_tables.py NAME       # prints a model's lines, to find a difference

A line is "NAME [SIDE,SIDE]"; the hash is FNV-1a of 64 bits over the sorted lines, each with its line feed. FastViT's after
reparameterize(), as Tandem has it. Left out: ConvNeXt and other trunks that Tandem does not compute.
"""
import json
import pathlib
import sys

from oracle import open_clip, torch
import timm
from timm.utils import reparameterize_model

from generated_model import fnv1a

TRUNKS = ("fastvit_mci", "vit_base_mci", "patch14_clip_", "patch16_clip_", "patch32_clip_")


def lines(name):
    fast = "fastvit" in open_clip.get_model_config(name)["vision_cfg"].get("timm_model_name", "")
    device = "cpu" if fast else "meta"  # branches cannot be summed without values
    with torch.device(device):
        model = open_clip.create_model(name, device=device)
    if fast:
        model.visual.trunk = reparameterize_model(model.visual.trunk)
    return sorted(f"{key} {json.dumps(list(value.shape), separators=(',', ':'))}\n"
                  for key, value in model.state_dict().items() if not key.endswith("num_batches_tracked"))


def wanted(config):
    trunk = config["vision_cfg"].get("timm_model_name")
    return "hf_model_name" not in config["text_cfg"] and (
        trunk is None or (not trunk.startswith("eva") and any(t in trunk for t in TRUNKS)))


def main(names):
    for name in names:
        sys.stdout.writelines(lines(name))
    if names:
        return
    models = {}
    for name in sorted(open_clip.list_models()):
        config = open_clip.get_model_config(name)
        if not wanted(config):
            continue
        rows = lines(name)
        models[name] = {"config": config, "tensors": len(rows), "hash": f"{fnv1a(''.join(rows)):016x}"}
        print(name, len(rows), flush=True)
    out = {"tool": f"open_clip {open_clip.__version__}, timm {timm.__version__}, torch {torch.__version__}", "models": models}
    path = pathlib.Path(__file__).parents[2] / "tests/goldens/model_tables/configs.json"
    path.write_text(json.dumps(out, separators=(",", ":")).replace('}},"', '}},\n"').replace('"},"', '"},\n"') + "\n")


main(sys.argv[1:])
