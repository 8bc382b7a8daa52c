"""Writes tests/goldens/model/*.safetensors: embeddings of generated models by open_clip (see generated_model.py).

    python tools/goldens/model_goldens.py [NAME…]      # in an environment with torch and open_clip_torch
"""
import json
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
from oracle import open_clip, torch
from open_clip.model import CLIP
from safetensors.torch import save_file

import generated_model as generated

SEED = 7
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])

TINY_TEXT = {"context_length": 24, "vocab_size": 600, "width": 64, "heads": 4, "layers": 3}
TINY_VIT = {"image_size": 48, "layers": 3, "width": 96, "head_width": 24, "patch_size": 16}
FULL_TEXT = {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12}

CONFIGS = {
    "tiny": {"embed_dim": 40, "vision_cfg": TINY_VIT, "text_cfg": TINY_TEXT},
    "tiny-quick-gelu": {"embed_dim": 40, "quick_gelu": True, "vision_cfg": TINY_VIT, "text_cfg": TINY_TEXT},
    "tiny-layer-scale": {"embed_dim": 40, "vision_cfg": {**TINY_VIT, "ls_init_value": 0.1},
                         "text_cfg": {**TINY_TEXT, "ls_init_value": 0.1}},
    "tiny-no-ln-pre": {"embed_dim": 40, "vision_cfg": {**TINY_VIT, "no_ln_pre": True, "patch_size": 12},
                       "text_cfg": TINY_TEXT},
    "tiny-average": {"embed_dim": 40, "vision_cfg": {**TINY_VIT, "pool_type": "avg"}, "text_cfg": TINY_TEXT},
    "tiny-average-after": {"embed_dim": 40,
                           "vision_cfg": {**TINY_VIT, "pool_type": "avg", "final_ln_after_pool": True},
                           "text_cfg": TINY_TEXT},
    "tiny-resnet": {"embed_dim": 40, "vision_cfg": {"image_size": 64, "layers": [2, 1, 1, 1], "width": 24,
                                                    "head_width": 48, "patch_size": None}, "text_cfg": TINY_TEXT},
    "vit-b-32": {"embed_dim": 512, "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
                 "text_cfg": FULL_TEXT},
    "vit-b-32-quick-gelu": {"embed_dim": 512, "quick_gelu": True,
                            "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
                            "text_cfg": FULL_TEXT},
    "rn50": {"embed_dim": 1024, "quick_gelu": True,
             "vision_cfg": {"image_size": 224, "layers": [3, 4, 6, 3], "width": 64, "patch_size": None},
             "text_cfg": {**FULL_TEXT, "layers": 1, "vocab_size": 1000}},
    "vit-l-14-4-layers": {"embed_dim": 768,
                          "vision_cfg": {"image_size": 224, "layers": 4, "width": 1024, "patch_size": 14},
                          "text_cfg": {**FULL_TEXT, "width": 768, "heads": 12, "layers": 2, "vocab_size": 1000}},
}


def build(config):
    model = CLIP(config["embed_dim"], dict(config["vision_cfg"]), dict(config["text_cfg"]),
                 quick_gelu=config.get("quick_gelu", False)).eval()
    return with_generated_weights(model)


def with_generated_weights(model):
    state = model.state_dict()
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        state[name] = torch.from_numpy(generated.weight(SEED, name, tuple(tensor.shape)))
    model.load_state_dict(state)
    return model


def inputs(config):
    pixels = generated.pictures(SEED, 3, config["vision_cfg"]["image_size"])
    images = ((torch.from_numpy(pixels).float() / 255 - MEAN) / STD).permute(0, 3, 1, 2).contiguous()
    text = config["text_cfg"]
    ids = generated.texts(SEED, 5, text["context_length"], text["vocab_size"])
    padded = np.full((len(ids), text["context_length"]), text.get("pad_id", 0), np.int64)
    for row, values in zip(padded, ids):
        row[: len(values)] = values
    return images, torch.from_numpy(padded)


def main(names, configs=CONFIGS, build=build):
    folder = os.path.join(os.path.dirname(__file__), "../../tests/goldens/model")
    os.makedirs(folder, exist_ok=True)
    tool = f"open_clip {open_clip.__version__}, torch {torch.__version__}, float32"
    for name in names or configs:
        config = configs[name]
        model = build(config)
        images, tokens = inputs(config)
        with torch.no_grad():
            outputs = {"image": model.encode_image(images, normalize=True), "text": model.encode_text(tokens, normalize=True)}
            exact = model.double()
            drift = max(float((exact.encode_image(images.double(), normalize=True) - outputs["image"]).abs().max()),
                        float((exact.encode_text(tokens, normalize=True) - outputs["text"]).abs().max()))
            outputs = {key: value.squeeze(1) if value.ndim == 3 else value for key, value in outputs.items()}
        metadata = {"tool": tool, "config": json.dumps(config), "seed": str(SEED)}
        save_file({k: v.float().contiguous() for k, v in outputs.items()}, f"{folder}/{name}.safetensors", metadata)
        print(f"{name}: image {tuple(outputs['image'].shape)}, float32 against float64 {drift:.1e}, "
              f"images' cosine {float(outputs['image'][0] @ outputs['image'][1]):.3f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
