"""Small files for the fuzz targets to begin with: tests/goldens/fuzz/model_config and tests/goldens/fuzz/tensors.

    python3 tools/goldens/fuzz_seeds.py        # needs nothing but Python and the other goldens
"""

import json
import pathlib
import struct

GOLDENS = pathlib.Path(__file__).resolve().parents[2] / "tests" / "goldens"
TO = GOLDENS / "fuzz"


def header(path):
    data = path.read_bytes()
    return json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])


def model_configs():
    for path in sorted((GOLDENS / "model").glob("tiny*.safetensors")):
        yield path.stem, json.loads(header(path)["__metadata__"]["config"])
    for name in ("hf-bert", "hf-mt5", "hf-roberta"):
        yield name, json.loads(header(GOLDENS / "model" / f"{name}.safetensors")["__metadata__"]["config"])
    for family in ("hf_clip", "hf_siglip"):
        for path in sorted((GOLDENS / family).glob("**/*config.json")):
            yield f"{family}-{path.parent.name}-{path.stem}", json.loads(path.read_text())


def tensors(names_and_shapes, metadata):
    """A file of zeros, with ones for scales."""
    entries, data = {"__metadata__": metadata}, b""
    for name, (dtype, shape) in names_and_shapes.items():
        count = 1
        for n in shape:
            count *= n
        one = {"F32": b"\0\0\x80\x3f", "I8": b"\x01"}[dtype]
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + count * len(one)]}
        data += one * count
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def eva_like():
    names = {"logit_scale": [], "visual.cls_token": [1, 1, 16], "visual.pos_embed": [1, 5, 16],
             "visual.patch_embed.proj.weight": [16, 3, 2, 2], "visual.patch_embed.proj.bias": [16],
             "visual.norm.weight": [16], "visual.norm.bias": [16], "visual.head.weight": [8, 16], "visual.head.bias": [8],
             "visual.rope.freqs_cos": [4, 8], "visual.rope.freqs_sin": [4, 8],
             "text.token_embedding.weight": [20, 8], "text.positional_embedding": [4, 8], "text.text_projection": [8, 8],
             "text.ln_final.weight": [8], "text.ln_final.bias": [8]}  # fmt: skip
    for part in ("q_proj.weight", "k_proj.weight", "v_proj.weight", "proj.weight"):
        names[f"visual.blocks.0.attn.{part}"] = [16, 16]
    for part in ("q_bias", "v_bias", "proj.bias", "inner_attn_ln.weight", "inner_attn_ln.bias"):
        names[f"visual.blocks.0.attn.{part}"] = [16]
    for part in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
        names[f"visual.blocks.0.{part}"] = [16]
    for part, shape in (("w1.weight", [42, 16]), ("w2.weight", [42, 16]), ("w3.weight", [16, 42]), ("w1.bias", [42]), ("w2.bias", [42]),
                        ("w3.bias", [16]), ("ffn_ln.weight", [42]), ("ffn_ln.bias", [42])):  # fmt: skip
        names[f"visual.blocks.0.mlp.{part}"] = shape
    for part, shape in (("attn.in_proj_weight", [24, 8]), ("attn.in_proj_bias", [24]), ("attn.out_proj.weight", [8, 8]),
                        ("attn.out_proj.bias", [8]), ("ln_1.weight", [8]), ("ln_1.bias", [8]), ("ln_2.weight", [8]), ("ln_2.bias", [8]),
                        ("mlp.c_fc.weight", [32, 8]), ("mlp.c_fc.bias", [32]), ("mlp.c_proj.weight", [8, 32]), ("mlp.c_proj.bias", [8])):  # fmt: skip
        names[f"text.transformer.resblocks.0.{part}"] = shape
    return {name: ("F32", shape) for name, shape in names.items()}


def quantised():
    return {"a.weight": ("I8", [3, 4]), "a.weight_scale": ("F32", [3]), "ln.smooth": ("F32", [4]), "ln.weight": ("F32", [4]),
            "ln.bias": ("F32", [4]), "b": ("F32", [2, 2])}  # fmt: skip


def small_siglip():
    """transformers' names, at the shapes that tests/fuzz/tensor_names_fuzz.cc says."""
    shapes = header(GOLDENS / "hf_siglip" / "tanh" / "model.safetensors")
    shapes.pop("__metadata__", None)
    kept = {}
    for name, entry in shapes.items():
        if ".layers." in name and ".layers.0." not in name:
            continue
        kept[name] = ("F32", [min(n, 16) for n in entry["shape"]])
    return kept


def small(names):
    """Every size divided by eight, so that a fuzzer's input holds all names."""
    return tensors({name: (dtype, [max(1, n // 8) for n in shape]) for name, (dtype, shape) in names.items()}, {})


def main():
    (TO / "model_config").mkdir(parents=True, exist_ok=True)
    (TO / "tensors").mkdir(parents=True, exist_ok=True)
    for name, config in model_configs():
        (TO / "model_config" / f"{name}.json").write_text(json.dumps(config, separators=(",", ":")) + "\n")
    (TO / "tensors" / "eva.safetensors").write_bytes(tensors(eva_like(), {}))
    (TO / "tensors" / "quantised.safetensors").write_bytes(tensors(quantised(), {"tandem_quantised": "int8 1"}))
    (TO / "tensors" / "siglip.safetensors").write_bytes(tensors(small_siglip(), {}))
    apple = json.loads((GOLDENS / "model_fastvit" / "apple_names.json").read_text())
    names = {theirs: ("F32", shape) for theirs, shape, *_ in apple["models"]["tiny-mci-vit"]["tensors"]}
    (TO / "tensors" / "mobileclip.safetensors").write_bytes(small(names))


if __name__ == "__main__":
    main()
