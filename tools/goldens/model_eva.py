"""Writes tests/goldens/model/{tiny-eva…,eva…,tiny-pe…,pe…}.safetensors: embeddings of generated models by open_clip around
timm's Eva class (see generated_model.py). timm's names fix a trunk's shape; "trunk" in the metadata says what was made smaller.

    python tools/goldens/model_eva.py [NAME…]      # in an environment with torch, timm and open_clip_torch
"""
import json
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
from oracle import open_clip, torch
import open_clip.timm_model
import timm
from open_clip.model import CustomTextCLIP
from safetensors.torch import save_file

import generated_model as generated
from model_goldens import FULL_TEXT, SEED, TINY_TEXT, inputs

create_model = timm.create_model
SMALL_TEXT = {**FULL_TEXT, "layers": 1, "vocab_size": 1000}


def config(name, size, pool, text=TINY_TEXT, embed=40, **projection):
    vision = {"image_size": size, "timm_model_name": name, "timm_model_pretrained": False, "timm_pool": pool,
              "timm_proj": None, **projection}
    return {"embed_dim": embed, "custom_text": True, "vision_cfg": vision, "text_cfg": text}


# name: (configuration, what is made smaller: the fields of Tandem's VisionConfig).
CONFIGS = {
    "tiny-eva02": (config("eva02_base_patch16_clip_224", 48, "token"), {"width": 80, "layers": 3, "head_width": 16}),
    "tiny-eva01": (config("eva_giant_patch14_224", 56, "token"), {"width": 96, "layers": 3, "head_width": 24}),
    "tiny-eva01-average": (config("eva_giant_patch14_224", 56, "avg", timm_proj="linear", timm_proj_bias=True),
                           {"width": 96, "layers": 3, "head_width": 24}),
    "tiny-eva02-post": (config("eva02_enormous_patch14_clip_224", 42, "token"),
                        {"width": 64, "layers": 3, "head_width": 16}),
    "tiny-pe": (config("vit_pe_core_base_patch16_224", 64, "map"), {"width": 96, "layers": 3, "head_width": 24}),
    "tiny-pe-no-class": (config("vit_pe_core_gigantic_patch14_448", 56, "map"),
                         {"width": 64, "layers": 2, "head_width": 16}),
    "tiny-eva02-mlp": (config("eva02_base_patch16_clip_224", 48, "token", timm_proj="mlp"),
                       {"width": 64, "layers": 1, "head_width": 16}),
    "eva02-b-16-4-layers": (config("eva02_base_patch16_clip_224", 224, "token", SMALL_TEXT, 512), {"layers": 4}),
    "eva02-l-14-2-layers": (config("eva02_large_patch14_clip_224", 224, "token", SMALL_TEXT, 768), {"layers": 2}),
    "pe-core-b-16-4-layers": (config("vit_pe_core_base_patch16_224", 224, "map", SMALL_TEXT, 1024), {"layers": 4}),
}
# Checked by hand, whole: too large for every test run.
WHOLE = {
    "eva02-b-16": (config("eva02_base_patch16_clip_224", 224, "token", SMALL_TEXT, 512), {}),
    "eva02-l-14": (config("eva02_large_patch14_clip_224", 224, "token", SMALL_TEXT, 768), {}),
    "eva02-l-14-336": (config("eva02_large_patch14_clip_336", 336, "token", SMALL_TEXT, 768), {}),
    "eva02-e-14-2-layers": (config("eva02_enormous_patch14_clip_224", 224, "token", SMALL_TEXT, 1024), {"layers": 2}),
    "eva01-g-14-4-layers": (config("eva_giant_patch14_224", 224, "token", SMALL_TEXT, 1024), {"layers": 4}),
    "pe-core-t-16-384": (config("vit_pe_core_tiny_patch16_384", 384, "map", SMALL_TEXT, 512), {}),
    "pe-core-s-16-384": (config("vit_pe_core_small_patch16_384", 384, "map", SMALL_TEXT, 512), {}),
    "pe-core-b-16": (config("vit_pe_core_base_patch16_224", 224, "map", SMALL_TEXT, 1024), {}),
    "pe-core-l-14-336": (config("vit_pe_core_large_patch14_336", 336, "map", SMALL_TEXT, 1024), {}),
    "pe-core-bigg-14-448-2-layers": (config("vit_pe_core_gigantic_patch14_448", 448, "map", SMALL_TEXT, 1280),
                                     {"layers": 2}),
}


def build(settings, trunk):
    def smaller(name, **kwargs):
        if "layers" in trunk:
            kwargs["depth"] = trunk["layers"]
        if "width" in trunk:
            kwargs.update(embed_dim=trunk["width"], num_heads=trunk["width"] // trunk["head_width"])
        return create_model(name, img_size=settings["vision_cfg"]["image_size"], **kwargs)

    open_clip.timm_model.timm.create_model = smaller
    model = CustomTextCLIP(settings["embed_dim"], dict(settings["vision_cfg"]), dict(settings["text_cfg"])).eval()
    open_clip.timm_model.timm.create_model = create_model
    state = model.state_dict()
    for name, tensor in state.items():
        state[name] = torch.from_numpy(generated.weight(SEED, name, tuple(tensor.shape)))
    model.load_state_dict(state)
    return model


def main(names):
    folder = os.path.join(os.path.dirname(__file__), "../../tests/goldens/model")
    tool = f"open_clip {open_clip.__version__}, timm {timm.__version__}, torch {torch.__version__}, float32"
    for name in names or CONFIGS:
        settings, trunk = {**CONFIGS, **WHOLE}[name]
        model = build(settings, trunk)
        images, tokens = inputs(settings)
        with torch.no_grad():
            outputs = {"image": model.encode_image(images, normalize=True), "text": model.encode_text(tokens, normalize=True)}
            drift = float("nan")
            if name in CONFIGS:
                exact = model.double()
                drift = float((exact.encode_image(images.double(), normalize=True) - outputs["image"]).abs().max())
        metadata = {"tool": tool, "config": json.dumps(settings), "trunk": json.dumps(trunk), "seed": str(SEED)}
        save_file({k: v.float().contiguous() for k, v in outputs.items()}, f"{folder}/{name}.safetensors", metadata)
        print(f"{name}: image {tuple(outputs['image'].shape)}, float32 against float64 {drift:.1e}, "
              f"images' cosine {float(outputs['image'][0] @ outputs['image'][1]):.3f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
