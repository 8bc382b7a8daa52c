#!/usr/bin/env python3
"""Writes assets/models/NAME.json for the checkpoints in checkpoints.py from open_clip's own tables: model config,
preprocessing of the tag, quick_gelu, hub repository. The config is merged exactly as open_clip.create_model(MODEL,
pretrained=TAG) merges it, save that a tag trained with quick GELU gets the quick-GELU model, where open_clip only warns.

Needs open_clip (HACKING "The reference implementations"). Run: tools/models/make_registry.py [--check]
--check writes nothing and exits 1 when a file would change.
"""
import argparse
import copy
import json
import pathlib
import sys
import warnings
from dataclasses import asdict

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "goldens"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from oracle import open_clip, torch  # noqa: E402
from open_clip import factory, pretrained, transform  # noqa: E402

import checkpoints  # noqa: E402

OUT = ROOT / "assets" / "models"
warnings.simplefilter("ignore")


def model_config(model, tag):
    """The model's config, of the quick-GELU twin when the tag was trained with it."""
    quick = pretrained.get_pretrained_cfg(model, tag).get("quick_gelu", False)
    config = factory.get_model_config(model)
    twin = factory.get_model_config(model + "-quickgelu")
    if quick and not config.get("quick_gelu"):
        config = twin or config | {"quick_gelu": True}
    if quick and not config.get("quick_gelu"):
        raise SystemExit(f"{model}:{tag}: no quick-GELU config")
    return config


def preprocess_config(config, tag_config):
    """As create_model: the defaults, then the tag, then the picture tower's size."""
    merged = transform.merge_preprocess_dict(asdict(transform.PreprocessCfg()), tag_config)
    merged["size"] = config["vision_cfg"]["image_size"]
    return {key: list(value) if isinstance(value, tuple) else value for key, value in merged.items()}


def parameters(config, preprocess):
    """Counted on the reference model, made without memory. None where its text tower needs files from the hub."""
    if "hf_model_name" in config["text_cfg"]:
        return None
    own = copy.deepcopy(config)
    custom = own.pop("custom_text", False)
    kind = open_clip.CoCa if "multimodal_cfg" in own else open_clip.CustomTextCLIP if custom else open_clip.CLIP
    with torch.device("meta"):
        model = kind(**own)
    size = getattr(model.visual, "image_size", preprocess["size"])
    size = size[0] if isinstance(size, (tuple, list)) else size
    if size != preprocess["size"]:
        raise SystemExit(f"the tower reads {size} px, the preprocessing gives {preprocess['size']}")
    return sum(p.numel() for p in model.parameters())


def tower(config):
    vision = config["vision_cfg"]
    if "timm_model_name" in vision:
        return vision["timm_model_name"]
    if isinstance(vision["layers"], list):
        return "ModifiedResNet " + "-".join(map(str, vision["layers"]))
    return f"ViT, patches of {vision['patch_size']} px, {vision['width']} wide, {vision['layers']} layers"


def row_of(name, family, model, tag, counted):
    title, licence, templates, notes = checkpoints.FAMILIES[family]
    tag_config = pretrained.get_pretrained_cfg(model, tag)
    repository = tag_config["hf_hub"].rstrip("/")
    config = model_config(model, tag)
    preprocess = preprocess_config(config, tag_config)
    key = json.dumps(config, sort_keys=True)
    if key not in counted:
        counted[key] = parameters(config, preprocess)
    row = {"name": name, "family": title, "summary": f"{tower(config)}; {tag}",
           "licence": checkpoints.LICENCES.get(name, licence), "templates": templates,
           "notes": ([checkpoints.NOTES[name]] if name in checkpoints.NOTES else []) + notes,
           "aliases": [f"{model}:{tag}"]}
    if tag_config.get("quick_gelu"):
        row["aliases"].append(f"{model}-quickgelu:{tag}")
    if counted[key]:
        row["parameters"] = counted[key]
    row["hub"] = {"repository": repository, "revision": "main"}
    row["config"] = {"model_cfg": config, "preprocess_cfg": preprocess}
    return row


def rows():
    counted = {}
    for family, models in checkpoints.CHECKPOINTS.items():
        for name, (model, tag) in models.items():
            yield row_of(name, family, model, tag, counted)
    for family, models in checkpoints.HUB_CONFIG.items():
        title, licence, templates, notes = checkpoints.FAMILIES[family]
        for name, (repository, summary) in models.items():
            yield {"name": name, "family": title, "summary": summary, "licence": licence, "templates": templates, "notes": notes,
                   "aliases": [], "hub": {"repository": repository, "revision": "main"}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    changed, count = [], 0
    for row in rows():
        row["made_by"] = f"tools/models/make_registry.py, open_clip {open_clip.__version__}"
        text = json.dumps(row, indent=1, ensure_ascii=False) + "\n"
        path = OUT / f"{row['name']}.json"
        count += 1
        if not path.exists() or path.read_text() != text:
            changed.append(path.name)
            if not check:
                path.write_text(text)
    print(f"{count} rows, {len(changed)} {'differ' if check else 'written'}")
    sys.exit(1 if check and changed else 0)


if __name__ == "__main__":
    main()
