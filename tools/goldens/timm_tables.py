"""Writes tests/goldens/model_tables/eva.json: names and shapes of every tensor of open_clip's own configurations around
timm's Eva class. What repeats by layer is written once: "…blocks.{}.…": [layers, shape].

    python tools/goldens/timm_tables.py
"""
import collections
import json
import pathlib
import re

from oracle import open_clip, torch
import timm
from open_clip.model import CustomTextCLIP

NAMES = [name for name in open_clip.list_models() if name.startswith(("EVA0", "PE-Core"))]


def table(config):
    with torch.device("meta"):
        model = CustomTextCLIP(config["embed_dim"], dict(config["vision_cfg"]), dict(config["text_cfg"]))
    rows = collections.defaultdict(lambda: [0, None])
    for name, value in model.state_dict().items():
        row = rows[re.sub(r"(blocks\.)\d+\.", r"\1{}.", name)]
        assert row[1] in (None, list(value.shape))
        row[0] += 1
        row[1] = list(value.shape)
    return {"config": config, "tensors": rows}


def main():
    out = {"tool": f"open_clip {open_clip.__version__}, timm {timm.__version__}, torch {torch.__version__}",
           "models": {name: table(open_clip.get_model_config(name)) for name in NAMES}}
    path = pathlib.Path(__file__).parents[2] / "tests/goldens/model_tables/eva.json"
    path.write_text(json.dumps(out, separators=(",", ":")).replace('},"', '},\n"') + "\n")
    print(NAMES)


main()
