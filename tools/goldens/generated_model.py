"""Weights, pictures and tokens computed from a hash: the same numbers as src/engine/generated_model.cc, so that goldens
of full-size models need no stored weights. Any change here must be made there."""
import numpy as np

# FastViT's convolutions that stand for x + convolution(x).
PASSING = ("token_mixer.reparam_conv.weight", "pos_emb.reparam_conv.weight")
GOLDEN_RATIO = np.uint64(0x9E3779B97F4A7C15)


def fnv1a(name):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def words(seed, name, first, count):
    """64-bit hashes number first .. first+count-1 of stream `name` (splitmix64 of a counter)."""
    with np.errstate(over="ignore"):
        base = np.uint64((fnv1a(name) ^ (seed * int(GOLDEN_RATIO))) & 0xFFFFFFFFFFFFFFFF)
        z = base + np.arange(first + 1, first + count + 1, dtype=np.uint64) * GOLDEN_RATIO
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniform(z):
    return (z >> np.uint64(40)).astype(np.float64) / 16777216.0


def normal(z):
    """Mean 0, deviation 1: the sum of a hash's four 16-bit parts."""
    mask = np.uint64(0xFFFF)
    total = sum(((z >> np.uint64(16 * i)) & mask).astype(np.float64) for i in range(4))
    return (total - 131070.0) / 65536.0 * 1.7320508075688772


def weight(seed, name, shape):
    """float32 values of a tensor. LayerNorm gains reach from 0.2 to 5 and a few residual channels are 20 times larger, as in
    trained CLIPs, so that errors of precision show. Queries and keys are halved: with the gains above, attention would
    otherwise be so peaked that rounding the weights alone to bf16 changes the result. Filters sum to zero, else the mean
    of positive maps, which trained batch norms take out, would swamp what differs. FastViT has up to 40 blocks and no norm
that would rein in what they add: they add little, and their depthwise filters pass on what they read."""
    count = int(np.prod(shape, dtype=np.int64)) if len(shape) else 1
    out = np.empty(count, np.float32)
    row = count // shape[0] if len(shape) == 4 else 1  # filters stay whole
    step = (1 << 22) // row * row
    for first in range(0, count, step):
        z = words(seed, name, first, min(step, count - first))
        out[first : first + len(z)] = _values(name, shape, z, first)
    return out.reshape(shape)


def _values(name, shape, z, first):
    if name == "logit_scale":
        return np.full(len(z), 2.6592600369327779)
    if name.endswith("running_var"):
        return 0.5 + uniform(z)
    if name.endswith("running_mean"):
        return 0.2 * normal(z)
    if len(shape) == 1 and name.endswith(".weight"):
        u = uniform(z)
        if name.endswith("bn3.weight") and "layer" in name:  # a residual branch: small beside what it is added to
            return 0.2 + 0.4 * u
        return 0.2 + 4.8 * (u * u * u) if "ln_" in name or "norm" in name or "LayerNorm" in name else 0.5 + u
    if "layer_scale" in name:
        return 0.03 + 0.27 * uniform(z)
    if name.endswith("gamma"):
        return 0.1 + 0.9 * uniform(z)
    if name.endswith(("bias", "positional_embedding", "pos_embed")):
        return 0.1 * normal(z)
    if name.endswith(("embedding", "embedding.weight", "cls_emb", "cls_token", "latent")):
        return 0.5 * normal(z)
    if name.endswith(("embeddings.weight", "embed_tokens.weight")):
        return 0.5 * normal(z)
    if name.endswith("SelfAttention.q.weight"):  # T5 does not scale its scores: its queries are small instead
        return normal(z) * (0.0625 / np.sqrt(float(shape[1])))
    if len(shape) == 4:
        fan_in = shape[1] * shape[2] * shape[3]  # z may hold some of the filters only
        filters = (normal(z) * np.sqrt(2.0 / fan_in)).reshape(-1, fan_in)
        if "reparam_conv" in name:  # has no batch norm behind it, and ends in a mean over the picture
            if name.endswith(PASSING):
                filters = 0.2 * filters
                filters[:, fan_in // 2] += 1 / 0.9
            return 0.9 * filters.reshape(-1)
        return (filters - filters.mean(axis=1, keepdims=True)).reshape(-1)
    if name == "visual.proj" or name.endswith("text_projection"):
        return normal(z) / np.sqrt(float(shape[0]))
    values = normal(z) / np.sqrt(float(shape[1]))
    if name.endswith(("in_proj_weight", "attn.qkv.weight", "token_mixer.qkv.weight")):
        values = np.where((first + np.arange(len(z))) // shape[1] < shape[0] * 2 // 3, values * 0.5, values)
    if name.endswith(("q_proj.weight", "k_proj.weight", "q_proj_weight", "k_proj_weight", "query.weight", "key.weight",
                      "SelfAttention.k.weight")):
        values = values * 0.5
    if name.endswith(("c_proj.weight", "out_proj.weight", "attn.proj.weight", ".mlp.fc2.weight",
                      "output.dense.weight", "SelfAttention.o.weight", "DenseReluDense.wo.weight")):
        row = (first + np.arange(len(z))) // shape[1]
        values = np.where(row % 191 == 13, values * 20.0, values)
    return values


def pictures(seed, count, size):
    """(count,size,size,3) bytes: coarse blocks with noise on them."""
    b, y, x, c = np.meshgrid(np.arange(count), np.arange(size), np.arange(size), np.arange(3), indexing="ij")
    blocks = (size + 15) // 16
    coarse_index = ((b * blocks + y // 16) * blocks + x // 16) * 3 + c
    coarse = words(seed, "blocks", 0, count * blocks * blocks * 3)[coarse_index] >> np.uint64(56)
    fine = words(seed, "noise", 0, count * size * size * 3).reshape(count, size, size, 3) >> np.uint64(58)
    return (coarse * np.uint64(3) // np.uint64(4) + fine).astype(np.uint8)


def texts(seed, count, context_length, vocab_size):
    """Ragged token ids: start, words, end. The first fills the context, the others are 2 to 16 long, or to its end."""
    out = []
    for i in range(count):
        longest = context_length if i == 0 else min(context_length, 16)
        z = words(seed, f"text {i}", 0, longest)
        length = context_length if i == 0 else 2 + int(z[0]) % (longest - 1)
        ids = [1 + int(z[j]) % (vocab_size - 3) for j in range(length)]
        ids[0] = vocab_size - 2
        ids[-1] = vocab_size - 1
        out.append(ids)
    return out
