"""Writes tests/goldens/model/{tiny-siglip…,siglip…}.safetensors: embeddings of generated models by open_clip around timm's
VisionTransformer (see generated_model.py). "timm_shape" says what differs from the shape that timm's name fixes.

    python tools/goldens/model_siglip.py [NAME…]      # in an environment with torch, timm and open_clip_torch
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
SIGLIP = {"no_causal_mask": True, "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6}}
TANH = {"act_kwargs": {"approximate": "tanh"}}
SMALL_TEXT = {**FULL_TEXT, **SIGLIP, "layers": 1, "vocab_size": 1000, "context_length": 64}
TINY = {"width": 96, "layers": 3, "heads": 4}


def config(name, size, embed, shape, text, pool="map", proj="none", **more):
    vision = {"image_size": size, "timm_model_name": name, "timm_model_pretrained": False, "timm_pool": pool,
              "timm_proj": proj, "timm_shape": shape, **more}
    return {"embed_dim": embed, "init_logit_bias": -10, "custom_text": True, "vision_cfg": vision, "text_cfg": text}


B16, SO14, SO16 = "vit_base_patch16_siglip_224", "vit_so400m_patch14_siglip_224", "vit_so400m_patch16_siglip_256"
CONFIGS = {
    "tiny-siglip": config(B16, 56, 96, TINY, {**TINY_TEXT, **SIGLIP}),
    "tiny-siglip2": config(SO16, 48, 90, {"width": 90, "layers": 2, "heads": 5}, {**TINY_TEXT, **SIGLIP, **TANH}),
    "tiny-siglip-average": config("vit_base_patch16_siglip_gap_224", 48, 40, TINY, {**TINY_TEXT, **SIGLIP}, "avg", "linear",
                                  timm_proj_bias=True),
    "tiny-siglip-norm-after": config(B16, 48, 40, TINY, {**TINY_TEXT, **SIGLIP}, "avg", None),
    "tiny-timm-clip": config("vit_large_patch14_clip_224", 56, 40, TINY, {**TINY_TEXT, "no_causal_mask": True}, "token", None),
    "siglip-b-16-2-layers": config(B16, 224, 768, {"layers": 2}, {**SMALL_TEXT, "width": 768, "heads": 12}),
    "siglip2-so400m-14-1-layer": config(SO14, 224, 1152, {"layers": 1, "gelu_tanh": True},
                                        {**SMALL_TEXT, **TANH, "width": 1152, "heads": 16, "mlp_ratio": 3.7362}),
}
# Checked by hand, whole: too large for every test run.
WHOLE = {
    "siglip-b-16": config(B16, 224, 768, {}, {**SMALL_TEXT, "width": 768, "heads": 12, "layers": 12}),
    "siglip2-b-16": config(B16, 224, 768, {"gelu_tanh": True}, {**SMALL_TEXT, **TANH, "width": 768, "heads": 12, "layers": 12}),
    "siglip-so400m-14": config(SO14, 224, 1152, {}, {**SMALL_TEXT, "width": 1152, "heads": 16, "layers": 27, "mlp_ratio": 3.7362}),
    "siglip2-so400m-16": config(SO16, 256, 1152, {}, {**SMALL_TEXT, **TANH, "width": 1152, "heads": 16, "layers": 27,
                                                      "mlp_ratio": 3.7362}),
    "siglip2-gopt-16-8-layers": config("vit_giantopt_patch16_siglip_256", 256, 1536, {"layers": 8},
                                       {**SMALL_TEXT, **TANH, "width": 1152, "heads": 16, "mlp_ratio": 3.7362}),
    "mobileclip2-l-14": config("vit_large_patch14_clip_224", 224, 768, {},
                               {**FULL_TEXT, "no_causal_mask": True, "width": 768, "heads": 12, "layers": 12,
                                "vocab_size": 1000}, "token", None),
}


def build(settings):
    vision = dict(settings["vision_cfg"])
    shape = vision.pop("timm_shape")
    names = {"width": "embed_dim", "layers": "depth", "heads": "num_heads", "mlp_ratio": "mlp_ratio", "patch_size": "patch_size"}
    own = {names[k]: v for k, v in shape.items() if k in names}
    if "gelu_tanh" in shape:
        own["act_layer"] = "gelu_tanh" if shape["gelu_tanh"] else "gelu"
    open_clip.timm_model.timm.create_model = lambda name, **kwargs: create_model(
        name, img_size=vision["image_size"], **{**kwargs, **own})
    model = CustomTextCLIP(settings["embed_dim"], vision, dict(settings["text_cfg"]),
                           init_logit_bias=settings["init_logit_bias"]).eval()
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
        settings = {**CONFIGS, **WHOLE}[name]
        model = build(settings)
        images, tokens = inputs(settings)
        with torch.no_grad():
            outputs = {"image": model.encode_image(images, normalize=True), "text": model.encode_text(tokens, normalize=True)}
            drift = float("nan")
            if name in CONFIGS:
                exact = model.double()
                drift = max(float((exact.encode_image(images.double(), normalize=True) - outputs["image"]).abs().max()),
                            float((exact.encode_text(tokens, normalize=True) - outputs["text"]).abs().max()))
        metadata = {"tool": tool, "config": json.dumps(settings), "seed": str(SEED)}
        save_file({k: v.float().contiguous() for k, v in outputs.items()}, f"{folder}/{name}.safetensors", metadata)
        print(f"{name}: image {tuple(outputs['image'].shape)}, float32 against float64 {drift:.1e}, "
              f"images' cosine {float(outputs['image'][0] @ outputs['image'][1]):.3f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
