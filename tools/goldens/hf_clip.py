"""Writes tests/goldens/hf_clip: tiny CLIPModels as transformers saves them, what they answer, and the pixels of its Pillow
image processors. Weights are stored as float16, so that the files stay small, and computed with in float32.

    PYTHONPATH=OLD python tools/goldens/hf_clip.py     # OLD: see images_common.py
    python tools/goldens/hf_clip.py check FOLDER GOLDEN.safetensors     # what transformers answers with a written folder
"""
import json
import os
import pathlib
import sys
import zlib

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import oracle  # noqa: F401  (skips torchvision's operators)
import PIL
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

import generated_model as generated

GOLDENS = pathlib.Path(__file__).resolve().parents[2] / "tests/goldens"
SEED = 7
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])
TEXT = {"vocab_size": 520, "hidden_size": 16, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 2,
        "max_position_embeddings": 12, "bos_token_id": 518}
VISION = {"hidden_size": 24, "intermediate_size": 56, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 32,
          "patch_size": 8}

MODELS = {
    # The end of text as configurations before transformers 4.31 gave it; the highest id is pooled.
    "quick-legacy": {"text_config": {**TEXT, "eos_token_id": 2}, "vision_config": VISION, "projection_dim": 20},
    "gelu-sharded": {"text_config": {**TEXT, "eos_token_id": 519, "hidden_act": "gelu", "layer_norm_eps": 1e-5},
                     "vision_config": {**VISION, "hidden_act": "gelu"}, "projection_dim": 20},
    # An end of text that is not the highest id: its first occurrence is pooled.
    "first-end": {"text_config": {**TEXT, "eos_token_id": 519, "vocab_size": 530, "hidden_act": "gelu"},
                  "vision_config": {**VISION, "hidden_act": "gelu"}, "projection_dim": 20},
}


def tokens(config):
    """Texts that end with the end of text, padded with it, as transformers' tokenizer pads."""
    end = 519
    ids = generated.texts(SEED, 5, config.max_position_embeddings, end + 1)
    padded = np.full((len(ids), config.max_position_embeddings), end, np.int64)
    for row, values in zip(padded, ids):
        row[: len(values)] = values
    return torch.from_numpy(padded)


def answers(model, size, ids):
    pixels = torch.from_numpy(generated.pictures(SEED, 3, size)).float() / 255
    pixels = ((pixels - MEAN) / STD).permute(0, 3, 1, 2).contiguous().to(model.dtype)
    with torch.no_grad():
        image = model.get_image_features(pixel_values=pixels).pooler_output
        text = model.get_text_features(input_ids=ids).pooler_output
    return {k: v / v.norm(dim=-1, keepdim=True) for k, v in {"image": image, "text": text}.items()}


def main():
    tool = f"transformers {transformers.__version__}, torch {torch.__version__}, float32"
    for name, config in MODELS.items():
        torch.manual_seed(SEED)
        model = CLIPModel(CLIPConfig(**json.loads(json.dumps(config)))).eval()
        for key, value in model.state_dict().items():
            if value.is_floating_point() and value.ndim:
                value.copy_(torch.from_numpy(hf_weight(key, tuple(value.shape))).half())
        folder = GOLDENS / "hf_clip" / name
        folder.mkdir(parents=True, exist_ok=True)
        size = {"max_shard_size": "40KB"} if name.endswith("sharded") else {}
        model.half().save_pretrained(folder, **size)
        model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
        exact = CLIPModel.from_pretrained(folder, dtype=torch.float64).eval()
        CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32).save_pretrained(folder)
        ids = tokens(model.config.text_config)
        outputs = answers(model, 32, ids)
        save_file({k: v.contiguous() for k, v in outputs.items()}, folder / "outputs.safetensors", {"tool": tool, "seed": str(SEED)})
        drift = max(float((v - outputs[k]).abs().max()) for k, v in answers(exact, 32, ids).items())
        print(name, f"float32 against float64 {drift:.1e}")
    pixels()


def hf_weight(name, shape):
    """Gains from 0.2 to 5, as generated_model does for its own names."""
    z = generated.words(SEED, name, 0, int(np.prod(shape)))
    if "norm" in name or "layrnorm" in name:
        u = generated.uniform(z)
        values = 0.2 + 4.8 * u**3 if name.endswith("weight") else 0.1 * generated.normal(z)
    elif name.endswith("bias"):
        values = 0.1 * generated.normal(z)
    elif "embedding" in name and "patch" not in name:
        values = 0.5 * generated.normal(z)
    else:
        values = generated.normal(z) / np.sqrt(np.prod(shape[1:]))
    return values.astype(np.float32).reshape(shape)


def pixels():
    """One line a case: the processor's file, then picture and checksum."""
    from images_common import picture

    processors = {
        "clip": CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32),
        "clip-bilinear": CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32, resample=2),
        "siglip": SiglipImageProcessorPil(size={"height": 32, "width": 32}),
    }
    lines = [f"# transformers {transformers.__version__} (PilBackend), Pillow {PIL.__version__}: processor width height seed crc32"]
    for name, processor in processors.items():
        folder = GOLDENS / "hf_clip" / "processors" / name
        folder.mkdir(parents=True, exist_ok=True)
        processor.save_pretrained(folder)
        for seed, (width, height) in enumerate([(32, 32), (33, 32), (35, 32), (32, 35), (37, 32), (32, 39), (64, 45), (45, 64), (61, 47),
                                                (200, 133), (133, 200), (31, 90), (7, 50)]):
            image = Image.fromarray(picture(width, height, 3, seed))
            out = processor(image, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"][0]
            out = np.ascontiguousarray(out.transpose(1, 2, 0)).astype(np.uint8)
            lines.append(f"{name} {width} {height} {seed} {zlib.crc32(out.tobytes())}")
    (GOLDENS / "hf_clip" / "pixels.txt").write_text("\n".join(lines) + "\n")


def check(folder):
    """A folder that `tandem convert --to hf-clip` wrote, against a golden of the same generated model."""
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    text = model.config.text_config
    ids = generated.texts(SEED, 5, text.max_position_embeddings, text.vocab_size)
    padded = np.zeros((len(ids), text.max_position_embeddings), np.int64)
    for row, values in zip(padded, ids):
        row[: len(values)] = values
    got = answers(model, model.config.vision_config.image_size, torch.from_numpy(padded))
    want = load_file(sys.argv[3])
    print({k: float((got[k] - want[k]).abs().max()) for k in want})


if sys.argv[1:2] == ["check"]:
    check(sys.argv[2])
else:
    main()
