"""Writes tests/goldens/model/hf-*.safetensors (embeddings of generated models with transformers' text towers, as open_clip's
HFTextEncoder uses them) and tests/goldens/hf_text/buckets.txt.

    python tools/goldens/model_hf_text.py [NAME…]      # in the reference environment
"""
import json
import os
import pathlib
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
from oracle import open_clip, torch
import transformers
from open_clip.hf_model import HFTextEncoder
from open_clip.model import CLIPVisionCfg, _build_vision_tower
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModel
from transformers.models.mt5.modeling_mt5 import MT5Attention

import generated_model as generated

GOLDENS = pathlib.Path(__file__).resolve().parents[2] / "tests/goldens"
SEED = 7
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])
VIT = {"image_size": 48, "layers": 2, "width": 96, "head_width": 24, "patch_size": 16}

BERT = {"vocab_size": 600, "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 160,
        "max_position_embeddings": 40, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0}
ROBERTA = {**BERT, "type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5}
T5 = {"vocab_size": 600, "d_model": 64, "d_kv": 24, "d_ff": 160, "num_layers": 3, "num_heads": 4, "pad_token_id": 0,
      "feed_forward_proj": "gated-gelu", "layer_norm_epsilon": 1e-6}


def text(model_type, shape, pooler, projection, context=24, name="tiny"):
    out = {"context_length": context, "hf_model_name": name, "hf_pooler_type": pooler, "hf_proj_type": projection}
    return {**out, "hf_config": {"model_type": model_type, **shape}}


CONFIGS = {
    "hf-bert": text("bert", BERT, "cls_last_hidden_state_pooler", "linear"),
    "hf-roberta": text("roberta", ROBERTA, "mean_pooler", "mlp"),
    "hf-xlm-roberta": text("xlm-roberta", ROBERTA, "mean_pooler", "linear", context=37),
    "hf-mt5": text("mt5", T5, "mean_pooler", "mlp"),
    "hf-mt5-relu": text("mt5", {**T5, "feed_forward_proj": "relu"}, "mean_pooler", "linear"),
    "hf-mt5-distant": text("mt5", {**T5, "relative_attention_num_buckets": 16, "relative_attention_max_distance": 20},
                           "cls_last_hidden_state_pooler", "linear", context=64),
    # The widths of xlm-roberta-large and mt5-base, with few layers and a small vocabulary.
    "hf-xlm-roberta-large-2-layers": text(
        "xlm-roberta", {**ROBERTA, "hidden_size": 1024, "num_hidden_layers": 2, "num_attention_heads": 16,
                        "intermediate_size": 4096, "max_position_embeddings": 514}, "mean_pooler", "mlp", context=77),
    "hf-mt5-base-2-layers": text("mt5", {**T5, "d_model": 768, "d_kv": 64, "d_ff": 2048, "num_layers": 2, "num_heads": 12},
                                 "mean_pooler", "mlp", context=77),
}


class Model(torch.nn.Module):
    """CustomTextCLIP's tensors; its text tower built from a configuration, which open_clip has no way to say."""

    def __init__(self, config):
        super().__init__()
        cfg = config["text_cfg"]
        width = config["embed_dim"]
        self.logit_scale = torch.nn.Parameter(torch.zeros([]))
        self.visual = _build_vision_tower(width, CLIPVisionCfg(**config["vision_cfg"]))
        shape = dict(cfg["hf_config"])
        hf = AutoConfig.for_model(shape.pop("model_type"), **shape)
        pooler = cfg["hf_pooler_type"]
        self.text = HFTextEncoder("", width, config=hf, pooler_type=pooler, proj_type=cfg["hf_proj_type"])
        if hf.is_encoder_decoder:  # as HFTextEncoder does with a name
            self.text.transformer = self.text.transformer.encoder
        else:
            self.text.transformer = AutoModel.from_config(hf, add_pooling_layer=False)


def build(config):
    model = Model(config).eval()
    state = model.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            state[name] = torch.from_numpy(generated.weight(SEED, name, tuple(tensor.shape)))
    model.load_state_dict(state)
    return model


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


def inputs(config):
    cfg = config["text_cfg"]
    pixels = generated.pictures(SEED, 3, config["vision_cfg"]["image_size"])
    images = ((torch.from_numpy(pixels).float() / 255 - MEAN) / STD).permute(0, 3, 1, 2).contiguous()
    pad = cfg["hf_config"]["pad_token_id"]
    ids = generated.texts(SEED, 5, cfg["context_length"], cfg["hf_config"]["vocab_size"])
    assert all(pad not in row for row in ids)
    padded = np.full((len(ids), cfg["context_length"]), pad, np.int64)
    for row, values in zip(padded, ids):
        row[: len(values)] = values
    return images, torch.from_numpy(padded)


def main(names):
    tool = f"open_clip {open_clip.__version__}, transformers {transformers.__version__}, torch {torch.__version__}, float32"
    for name in names or CONFIGS:
        config = {"embed_dim": 512 if "layers" in name else 40, "vision_cfg": VIT, "text_cfg": CONFIGS[name]}
        model = build(config)
        images, tokens = inputs(config)
        with torch.no_grad():
            outputs = {"image": unit(model.visual(images)), "text": unit(model.text(tokens))}
            exact = unit(model.double().text(tokens))
        drift = float((exact - outputs["text"]).abs().max())
        cosine = float(outputs["text"][0] @ outputs["text"][1])
        metadata = {"tool": tool, "config": json.dumps(config), "seed": str(SEED)}
        save_file({k: v.float().contiguous() for k, v in outputs.items()}, GOLDENS / "model" / f"{name}.safetensors", metadata)
        print(f"{name}: float32 against float64 {drift:.1e}, texts' cosine {cosine:.3f}", flush=True)
    if not names:
        buckets(tool)


def buckets(tool):
    lines = [f"# {tool}: T5's bucket of each distance from -(length-1) to length-1: length buckets max_distance: buckets"]
    for length, count, distance in ((300, 32, 128), (40, 16, 20), (600, 64, 512)):
        d = torch.arange(-(length - 1), length)
        row = MT5Attention._relative_position_bucket(d, True, count, distance).tolist()
        lines.append(f"{length} {count} {distance} " + " ".join(map(str, row)))
    folder = GOLDENS / "hf_text"
    folder.mkdir(exist_ok=True)
    (folder / "buckets.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
