"""Writes tests/goldens/model/*.safetensors for OpenCLIP's remaining shapes: wide heads, attentional pooling, pooling of the
text, CustomText names, CoCa's towers, large ResNets (see model_goldens.py).

    python tools/goldens/model_shapes.py [NAME…]
"""
import sys

from oracle import open_clip
from open_clip.coca_model import CoCa
from open_clip.model import CLIP, CustomTextCLIP

import model_goldens as goldens
from model_goldens import FULL_TEXT, SEED, TINY_TEXT, TINY_VIT, generated

TOKENS = {"output_tokens": True}
POOL = {**TINY_VIT, "attentional_pool": True, "attn_pooler_queries": 7, "attn_pooler_heads": 4}
COCA = {"embed_dim": 64, "custom_text": True,
        "vision_cfg": {**POOL, **TOKENS},
        "text_cfg": {**TINY_TEXT, **TOKENS, "embed_cls": True},
        "multimodal_cfg": {"context_length": 24, "vocab_size": 600, "width": 64, "heads": 4, "layers": 2}}
# An id that stands inside the first text and there passes for padding.
INSIDE = generated.texts(SEED, 1, 24, 600)[0][9]
LAION_TEXT = {**FULL_TEXT, "vocab_size": 1000}


def clip(vision, text=None, **more):
    return {"embed_dim": 40, "vision_cfg": {**TINY_VIT, **vision}, "text_cfg": {**TINY_TEXT, **(text or {})}, **more}


CONFIGS = {
    "tiny-heads-80-88": clip({"width": 160, "head_width": 80}, {"width": 176, "heads": 2}),
    "tiny-heads-104-112": clip({"width": 208, "head_width": 104}, {"width": 224, "heads": 2}),
    "tiny-sine": clip({"pos_embed_type": "sin_cos_2d"}),
    "tiny-pool": {**clip({}), "vision_cfg": POOL},
    "tiny-pool-average": {**clip({}), "embed_dim": 96, "vision_cfg": {**POOL, "pool_type": "avg"}},
    "tiny-pool-parallel": {**clip({}), "embed_dim": 96, "vision_cfg": {**POOL, "attentional_pool": "parallel"}},
    "tiny-pool-cascade": {**clip({}), "embed_dim": 96, "vision_cfg": {**POOL, "attentional_pool": "cascade"}},
    "tiny-clipa": clip({"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True, "mlp_ratio": 4.9231},
                       {"pool_type": "last", "no_causal_mask": True}),
    "tiny-text-first": clip({}, {"pool_type": "first", "no_causal_mask": True, "proj_bias": True}, custom_text=True),
    "tiny-text-argmax": {**clip({}, {"no_causal_mask": True, "proj_type": "none"}, custom_text=True), "embed_dim": 64},
    "tiny-text-eos": clip({}, {"pool_type": "eos", "eos_id": 599}, custom_text=True),
    "tiny-text-last-causal": clip({}, {"pool_type": "last", "pad_id": 3}),
    "tiny-text-first-causal": clip({}, {"pool_type": "first"}),
    "tiny-coca": COCA,
    "tiny-coca-pad-inside": {**COCA, "text_cfg": {**COCA["text_cfg"], "pad_id": INSIDE}},
    "tiny-coca-no-pooler": {**COCA, "vision_cfg": {**TINY_VIT, **TOKENS, "width": 64, "head_width": 16}},
    "rn50x4-short": {"embed_dim": 640, "quick_gelu": True,
                     "vision_cfg": {"image_size": 288, "layers": [1, 2, 1, 1], "width": 80, "patch_size": None},
                     "text_cfg": {**LAION_TEXT, "width": 640, "heads": 10, "layers": 1}},
    "rn50x64-short": {"embed_dim": 1024, "quick_gelu": True,
                      "vision_cfg": {"image_size": 448, "layers": [1, 1, 1, 1], "width": 128, "patch_size": None},
                      "text_cfg": {**LAION_TEXT, "width": 1024, "heads": 16, "layers": 1}},
    "vit-h-14-2-layers": {"embed_dim": 1024,
                          "vision_cfg": {"image_size": 224, "layers": 2, "width": 1280, "head_width": 80, "patch_size": 14},
                          "text_cfg": {**LAION_TEXT, "width": 1024, "heads": 16, "layers": 2}},
    "vit-g-14-1-layer": {"embed_dim": 1024,
                         "vision_cfg": {"image_size": 224, "layers": 1, "width": 1408, "head_width": 88,
                                        "mlp_ratio": 4.3637, "patch_size": 14},
                         "text_cfg": {**LAION_TEXT, "width": 1024, "heads": 16, "layers": 1}},
    "vit-bigg-14-1-layer": {"embed_dim": 1280,
                            "vision_cfg": {"image_size": 224, "layers": 1, "width": 1664, "head_width": 104,
                                           "mlp_ratio": 4.9231, "patch_size": 14},
                            "text_cfg": {**LAION_TEXT, "width": 1280, "heads": 20, "layers": 1}},
    "coca-l-14-1-layer": {"embed_dim": 768, "custom_text": True,
                          "vision_cfg": {"image_size": 224, "layers": 1, "width": 1024, "patch_size": 14,
                                         "attentional_pool": True, "attn_pooler_heads": 8, **TOKENS},
                          "text_cfg": {**LAION_TEXT, **TOKENS, "context_length": 76, "width": 768, "heads": 12,
                                       "layers": 2, "embed_cls": True},
                          "multimodal_cfg": {"context_length": 76, "width": 768, "heads": 12, "layers": 1}},
}


def build(config):
    kinds = {"multimodal_cfg": CoCa, "custom_text": CustomTextCLIP}
    kind = next((kinds[key] for key in kinds if key in config), CLIP)
    model = kind(**{key: value for key, value in config.items() if key != "custom_text"})
    return goldens.with_generated_weights(model.eval())


if __name__ == "__main__":
    goldens.main(sys.argv[1:], CONFIGS, build)
