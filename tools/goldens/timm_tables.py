"""Writes tests/goldens/model_tables/{eva,siglip}.json: names and shapes of every tensor of open_clip's own configurations
around timm's Eva class, and of SigLIP. What repeats by layer is written once: "…blocks.{}.…": [layers, shape].

    python tools/goldens/timm_tables.py [FAMILY…]
"""
import collections
import json
import pathlib
import re
import sys

from oracle import open_clip, torch
import timm
from open_clip.model import CustomTextCLIP

FAMILIES = {"eva": ("EVA0", "PE-Core"), "siglip": ("ViT-B-16-SigLIP", "ViT-B-32-SigLIP", "ViT-L-16-SigLIP", "ViT-SO400M-14-SigLIP",
                                                   "ViT-SO400M-16-SigLIP", "ViT-gopt-16-SigLIP")}


def table(config):
    with torch.device("meta"):
        model = CustomTextCLIP(config["embed_dim"], dict(config["vision_cfg"]), dict(config["text_cfg"]),
                               init_logit_bias=config.get("init_logit_bias"))
    rows = collections.defaultdict(lambda: [0, None])
    for name, value in model.state_dict().items():
        row = rows[re.sub(r"(blocks\.)\d+\.", r"\1{}.", name)]
        assert row[1] in (None, list(value.shape))
        row[0] += 1
        row[1] = list(value.shape)
    return {"config": config, "tensors": rows}


def main(families):
    tool = f"open_clip {open_clip.__version__}, timm {timm.__version__}, torch {torch.__version__}"
    for family in families or FAMILIES:
        names = [name for name in open_clip.list_models() if name.startswith(FAMILIES[family])]
        out = {"tool": tool, "models": {name: table(open_clip.get_model_config(name)) for name in names}}
        path = pathlib.Path(__file__).parents[2] / f"tests/goldens/model_tables/{family}.json"
        path.write_text(json.dumps(out, separators=(",", ":")).replace('},"', '},\n"') + "\n")
        print(names)


main(sys.argv[1:])
