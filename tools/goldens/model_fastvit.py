"""Writes the goldens of MobileCLIP's FastViT towers and of its ViT with a stem: tests/goldens/model/{tiny-mci…,mobileclip…}.safetensors, embeddings of
generated models by open_clip around timm's FastVit class after reparameterize(), and tests/goldens/model_fastvit/
folded.safetensors, one small trunk before ("train.…") and after ("folded.…").

    python tools/goldens/model_fastvit.py [NAME…]      # in an environment with torch, timm and open_clip_torch
"""
import json
import os
import pathlib
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
from oracle import open_clip, torch
import open_clip.timm_model
import timm
from open_clip.model import CustomTextCLIP
from safetensors.torch import save_file
from timm.models import vision_transformer_hybrid as hybrid
from timm.utils import reparameterize_model

import generated_model as generated
import model_goldens as goldens
from model_goldens import FULL_TEXT, SEED, TINY_TEXT

GOLDENS = pathlib.Path(__file__).parents[2] / "tests/goldens"
create_model = timm.create_model
SMALL_TEXT = {**FULL_TEXT, "layers": 1, "vocab_size": 1000, "no_causal_mask": True}


def config(name, size, text, embed=40, pool="avg"):
    return {"embed_dim": embed, "custom_text": True, "text_cfg": text,
            "vision_cfg": {"image_size": size, "timm_model_name": name, "timm_model_pretrained": False, "timm_pool": pool,
                           "timm_proj": None}}


PREPROCESS = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
TINY = {**TINY_TEXT, "no_causal_mask": True}
# name: (configuration, what is made smaller: width of the first stage, blocks a stage at most).
CONFIGS = {
    "tiny-mci0": (config("fastvit_mci0", 96, TINY), {"width": 32, "layers": 2}),
    "tiny-mci3": (config("fastvit_mci3", 128, TINY), {"width": 32, "layers": 1}),
    "mobileclip-s0-2-blocks": (config("fastvit_mci0", 256, SMALL_TEXT, 512), {"layers": 2}),
    "tiny-mci-vit": (config("vit_base_mci_224", 64, TINY_TEXT, pool="token"), {"width": 96, "layers": 2, "head_width": 24}),
    "tiny-mci-vit-average": (config("vit_base_mci_224", 48, TINY_TEXT), {"width": 96, "layers": 2, "head_width": 24}),
    "mobileclip-b-2-layers": (config("vit_base_mci_224", 224, {**SMALL_TEXT, "no_causal_mask": False}, 512, "token"),
                              {"layers": 2}),
}
# Checked by hand, whole.
WHOLE = {
    "mobileclip-b": (config("vit_base_mci_224", 224, {**SMALL_TEXT, "no_causal_mask": False}, 512, "token"), {}),
    "mobileclip2-s0": (config("fastvit_mci0", 256, SMALL_TEXT, 512), {}),
    "mobileclip-s1": (config("fastvit_mci1", 256, SMALL_TEXT, 512), {}),
    "mobileclip-s2": (config("fastvit_mci2", 256, SMALL_TEXT, 512), {}),
    "mobileclip2-s3": (config("fastvit_mci3", 256, {**SMALL_TEXT, "width": 768, "heads": 12}, 768), {}),
    "mobileclip2-s4": (config("fastvit_mci4", 256, {**SMALL_TEXT, "width": 768, "heads": 12}, 768), {}),
}


def small_vit(trunk, size, kwargs):
    width = trunk.get("width", 768)
    own = hybrid.ConvStem
    hybrid.ConvStem = lambda channels, **more: own(channels=(width // 4, width // 4, width), **more)  # the name's are fixed
    kwargs |= {"img_size": size, "embed_dim": width, "depth": trunk.get("layers", 12),
               "num_heads": width // trunk.get("head_width", 64)}
    model = create_model("vit_base_mci_224", **kwargs)
    hybrid.ConvStem = own
    return model


def smaller(trunk, size=None):
    def create(name, **kwargs):
        if name == "vit_base_mci_224":
            return small_vit(trunk, size, kwargs)
        stages = 5 if name in ("fastvit_mci3", "fastvit_mci4") else 4
        full = {"fastvit_mci0": (2, 6, 10, 2), "fastvit_mci3": (2, 12, 24, 4, 2)}
        if "width" in trunk:
            kwargs["embed_dims"] = tuple(trunk["width"] << i for i in range(stages))
        if "layers" in trunk:
            kwargs["layers"] = tuple(min(n, trunk["layers"]) for n in full[name])
        return create_model(name, **kwargs)
    return create


def build(settings, trunk):
    open_clip.timm_model.timm.create_model = smaller(trunk, settings["vision_cfg"]["image_size"])
    model = CustomTextCLIP(settings["embed_dim"], dict(settings["vision_cfg"]), dict(settings["text_cfg"])).eval()
    open_clip.timm_model.timm.create_model = create_model
    model.visual.trunk = reparameterize_model(model.visual.trunk)
    state = model.state_dict()
    for name, tensor in state.items():
        if not name.endswith("num_batches_tracked"):
            state[name] = torch.from_numpy(generated.weight(SEED, name, tuple(tensor.shape)))
    model.load_state_dict(state)
    return model.eval()


def folded():
    """Every kind of branch, with statistics that are not those of initialisation."""
    torch.manual_seed(0)
    trunk = smaller({"width": 16, "layers": 1})("fastvit_mci0", num_classes=8).eval()
    state = trunk.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape) + 0.5 if "running_var" in name else 0.5 * torch.randn(tensor.shape))
            tensor.copy_(tensor.half().float())
    keep = ("stem.", "stages.0.blocks.0.token_mixer", "stages.1.downsample", "stages.3.pos_emb")
    rows = {f"train.{n}": v.half() for n, v in state.items() if n.startswith(keep) and v.is_floating_point()}
    after = reparameterize_model(trunk).state_dict()
    rows |= {f"folded.{n}": v for n, v in after.items() if n.startswith(keep) and "reparam" in n}
    folder = GOLDENS / "model_fastvit"
    folder.mkdir(exist_ok=True)
    save_file({k: v.contiguous() for k, v in rows.items()}, folder / "folded.safetensors",
              {"tool": f"timm {timm.__version__}, torch {torch.__version__}, seed 0"})


def main(names):
    tool = f"open_clip {open_clip.__version__}, timm {timm.__version__}, torch {torch.__version__}, float32"
    goldens.MEAN, goldens.STD = torch.zeros(3), torch.ones(3)
    if not names:
        folded()
    for name in names or CONFIGS:
        settings, trunk = {**CONFIGS, **WHOLE}[name]
        model = build(settings, trunk)
        images, tokens = goldens.inputs(settings)
        with torch.no_grad():
            outputs = {"image": model.encode_image(images, normalize=True), "text": model.encode_text(tokens, normalize=True)}
            drift = float((model.double().encode_image(images.double(), normalize=True) - outputs["image"]).abs().max())
        whole = {"model_cfg": settings, "preprocess_cfg": {**PREPROCESS, "size": settings["vision_cfg"]["image_size"]}}
        metadata = {"tool": tool, "config": json.dumps(whole), "trunk": json.dumps(trunk), "seed": str(SEED)}
        save_file({k: v.float().contiguous() for k, v in outputs.items()}, GOLDENS / f"model/{name}.safetensors", metadata)
        print(f"{name}: image {tuple(outputs['image'].shape)}, float32 against float64 {drift:.1e}, "
              f"images' cosine {float(outputs['image'][0] @ outputs['image'][1]):.3f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
