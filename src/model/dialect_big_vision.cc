// Google's SigLIP and SigLIP 2 as google-research/big_vision writes them: a .npz of Flax
// parameters. Matrices are (in, out), heads apart (D,H,h); the layers of a scanned model are
// stacked. Source: open_clip 3.3 convert.py load_big_vision_weights, timm 1.0.31
// vision_transformer.py _load_weights. The file says nothing of picture size, activation, pixels or
// tokenizer: open_clip_config.json beside it does.
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "core/error.h"
#include "core/npz.h"
#include "model/dialect.h"
#include "model/timm_vit.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "open_clip_config.json";
constexpr const char* kWeightsFile = "open_clip_model.safetensors";

// Takes arrays of the archive by name and lays them out as PyTorch has them.
class Arrays {
 public:
  Arrays(const TensorMap& from, std::string where)
      : from_(from),
        where_(std::move(where)),
        // As open_clip finds it.
        root_(from.contains("params/b") ? "params/" : "") {}

  // The array with another shape of as many values.
  void same(const std::string& name, const std::string& to, std::vector<std::int64_t> shape) {
    TensorView view = at(name);
    std::int64_t count = 1;
    for (const std::int64_t side : shape) count *= side;
    if (view.count() != count) wrong(name, view, fmt::format("{} values", count));
    view.shape = std::move(shape);
    to_.tensors[to] = std::move(view);
  }

  // Kernels of shape (in, …out…) each, turned and joined: (out, in).
  void turned(const std::vector<std::string>& names, const std::string& to, std::size_t rank) {
    const TensorView first = at(names.at(0));
    if (first.shape.size() != rank) wrong(names[0], first, fmt::format("{} dimensions", rank));
    std::vector<std::byte> bytes;
    std::int64_t rows = 0;
    for (const std::string& name : names) {
      const TensorView view = at(name);
      if (view.shape.size() != rank || view.shape[0] != first.shape[0] || view.dtype != first.dtype)
        wrong(name, view, fmt::format("{} dimensions, {} inputs", rank, first.shape[0]));
      append_turned(view, view.shape[0], bytes);
      rows += view.count() / view.shape[0];
    }
    own(to, {first.dtype, {rows, first.shape[0]}, {}}, std::move(bytes));
  }

  // A kernel (H,h,D) behind the heads: (D, H*h).
  void turned_out(const std::string& name, const std::string& to) {
    const TensorView view = at(name);
    if (view.shape.size() != 3) wrong(name, view, "3 dimensions");
    const std::int64_t inputs = view.shape[0] * view.shape[1];
    std::vector<std::byte> bytes;
    append_turned(view, inputs, bytes);
    own(to, {view.dtype, {view.shape[2], inputs}, {}}, std::move(bytes));
  }

  // A patch kernel (p,p,C,D): (D,C,p,p).
  void patches(const std::string& name, const std::string& to) {
    const TensorView view = at(name);
    if (view.shape.size() != 4 || view.shape[0] != view.shape[1])
      wrong(name, view, "a kernel (p,p,3,width)");
    const auto pixels = static_cast<std::size_t>(view.shape[0] * view.shape[1]);
    const auto channels = static_cast<std::size_t>(view.shape[2]);
    const auto width = static_cast<std::size_t>(view.shape[3]);
    const std::size_t size = dtype_bytes(view.dtype);
    std::vector<std::byte> bytes(view.bytes.size());
    for (std::size_t p = 0; p < pixels; ++p)
      for (std::size_t c = 0; c < channels; ++c)
        for (std::size_t d = 0; d < width; ++d)
          std::copy_n(view.bytes.data() + ((p * channels + c) * width + d) * size, size,
                      bytes.data() + ((d * channels + c) * pixels + p) * size);
    own(to, {view.dtype, {view.shape[3], view.shape[2], view.shape[0], view.shape[1]}, {}},
        std::move(bytes));
  }

  // Vectors, of whatever shape, one behind another.
  void joined(const std::vector<std::string>& names, const std::string& to) {
    std::vector<std::byte> bytes;
    std::int64_t count = 0;
    const DType dtype = at(names.at(0)).dtype;
    for (const std::string& name : names) {
      const TensorView view = at(name);
      if (view.dtype != dtype) wrong(name, view, "the dtype of its neighbours");
      bytes.insert(bytes.end(), view.bytes.begin(), view.bytes.end());
      count += view.count();
    }
    own(to, {dtype, {count}, {}}, std::move(bytes));
  }
  void vector(const std::string& name, const std::string& to) {
    same(name, to, {at(name).count()});
  }

  // Blocks below `scope` are taken from arrays of their own, or cut from stacked ones. Throws
  // unless there are `layers`.
  void begin_blocks(const std::string& scope, int layers) {
    scope_ = scope;
    stacked_ = from_.contains(root_ + scope + "encoderblock/LayerNorm_0/scale");
    layers_ = layers;
  }
  std::string block(int i) {
    layer_ = i;
    return stacked_ ? scope_ + "encoderblock/" : fmt::format("{}encoderblock_{}/", scope_, i);
  }
  void end_blocks() { scope_.clear(); }

  void check_heads(const std::string& name, int heads, int head_width) {
    const TensorView view = at(name);
    if (view.shape.size() != 3 || view.shape[1] != heads || view.shape[2] != head_width)
      wrong(name, view, fmt::format("{} heads of {}", heads, head_width));
  }

  // The result. Throws kCorrupt naming an array of the towers that nothing asked for.
  TensorMap take() {
    for (const auto& [name, view] : from_.tensors) {
      const bool tower = name.starts_with(root_ + "img/") || name.starts_with(root_ + "txt/");
      if (tower && !used_.contains(name)) wrong(name, view, "no such array in this configuration");
    }
    to_.owners.insert(to_.owners.end(), from_.owners.begin(), from_.owners.end());
    return std::move(to_);
  }

 private:
  TensorView at(const std::string& name) {
    const auto it = from_.tensors.find(root_ + name);
    if (it == from_.tensors.end()) {
      throw Error(Kind::kCorrupt,
                  fmt::format("{}: array \"{}\" is missing. Expected SigLIP as big_vision writes "
                              "it, of the shape that {} beside it says.",
                              where_, root_ + name, kConfigFile));
    }
    used_.insert(it->first);
    TensorView view = it->second;
    const bool cut = stacked_ && !scope_.empty() && name.starts_with(scope_ + "encoderblock/");
    if (!cut) return view;
    if (view.shape.empty() || view.shape[0] != layers_)
      wrong(name, view, fmt::format("{} layers", layers_));
    const std::size_t bytes = view.bytes.size() / static_cast<std::size_t>(layers_);
    view.bytes = view.bytes.subspan(bytes * static_cast<std::size_t>(layer_), bytes);
    view.shape.erase(view.shape.begin());
    return view;
  }

  // (in, out) -> (out, in) behind what is there.
  static void append_turned(const TensorView& view, std::int64_t inputs,
                            std::vector<std::byte>& bytes) {
    constexpr std::size_t kTile = 32;
    const std::size_t size = dtype_bytes(view.dtype);
    const auto in = static_cast<std::size_t>(inputs);
    const std::size_t out = view.bytes.size() / size / in;
    const std::size_t start = bytes.size();
    bytes.resize(start + view.bytes.size());
    for (std::size_t r0 = 0; r0 < in; r0 += kTile)
      for (std::size_t c = 0; c < out; ++c)
        for (std::size_t r = r0; r < std::min(r0 + kTile, in); ++r)
          std::copy_n(view.bytes.data() + (r * out + c) * size, size,
                      bytes.data() + start + (c * in + r) * size);
  }

  void own(const std::string& to, TensorView view, std::vector<std::byte> bytes) {
    auto owner = std::make_shared<std::vector<std::byte>>(std::move(bytes));
    view.bytes = *owner;
    to_.tensors[to] = std::move(view);
    to_.owners.push_back(std::move(owner));
  }

  [[noreturn]] void wrong(const std::string& name, const TensorView& view,
                          const std::string& expected) const {
    throw Error(Kind::kCorrupt,
                fmt::format("{}: array \"{}\" is {} [{}]. Expected {}.", where_, name,
                            dtype_name(view.dtype), fmt::join(view.shape, ","), expected));
  }

  const TensorMap& from_;
  std::string where_;
  std::string root_;
  TensorMap to_;
  std::set<std::string, std::less<>> used_;
  std::string scope_;
  bool stacked_ = false;
  int layers_ = 0;
  int layer_ = 0;
};

void both(Arrays& a, const std::string& norm, const std::string& to) {
  a.vector(norm + "/scale", to + ".weight");
  a.vector(norm + "/bias", to + ".bias");
}

void dense(Arrays& a, const std::string& from, const std::string& to) {
  a.turned({from + "/kernel"}, to + ".weight", 2);
  a.vector(from + "/bias", to + ".bias");
}

void projections(Arrays& a, const std::string& attention, const std::vector<std::string>& letters,
                 const std::string& to) {
  std::vector<std::string> kernels;
  std::vector<std::string> biases;
  for (const std::string& letter : letters) {
    kernels.push_back(attention + letter + "/kernel");
    biases.push_back(attention + letter + "/bias");
  }
  a.turned(kernels, to + "weight", 3);
  a.joined(biases, to + "bias");
}

struct BlockNames {
  const char *norm1, *norm2, *qkv, *out, *fc1, *fc2;
};

struct Tower {
  int layers, heads, head_width;
};

void blocks(Arrays& a, const std::string& scope, const Tower& tower, const std::string& to,
            const BlockNames& names) {
  a.begin_blocks(scope, tower.layers);
  for (int i = 0; i < tower.layers; ++i) {
    const std::string from = a.block(i);
    const std::string attention = from + "MultiHeadDotProductAttention_0/";
    const std::string into = fmt::format("{}{}.", to, i);
    a.check_heads(attention + "query/kernel", tower.heads, tower.head_width);
    both(a, from + "LayerNorm_0", into + names.norm1);
    both(a, from + "LayerNorm_1", into + names.norm2);
    projections(a, attention, {"query", "key", "value"}, into + names.qkv);
    a.turned_out(attention + "out/kernel", into + names.out + ".weight");
    a.vector(attention + "out/bias", into + names.out + ".bias");
    dense(a, from + "MlpBlock_0/Dense_0", into + names.fc1);
    dense(a, from + "MlpBlock_0/Dense_1", into + names.fc2);
  }
  a.end_blocks();
}

void pooler(Arrays& a, const Tower& tower, std::int64_t width) {
  const std::string from = "img/MAPHead_0/";
  const std::string attention = from + "MultiHeadDotProductAttention_0/";
  const std::string to = "visual.trunk.attn_pool.";
  a.check_heads(attention + "query/kernel", tower.heads, tower.head_width);
  a.same(from + "probe", to + "latent", {1, 1, width});
  projections(a, attention, {"query"}, to + "q.");
  projections(a, attention, {"key", "value"}, to + "kv.");
  a.turned_out(attention + "out/kernel", to + "proj.weight");
  a.vector(attention + "out/bias", to + "proj.bias");
  both(a, from + "LayerNorm_0", to + "norm");
  dense(a, from + "MlpBlock_0/Dense_0", to + "mlp.fc1");
  dense(a, from + "MlpBlock_0/Dense_1", to + "mlp.fc2");
}

void image_tower(Arrays& a, const ModelConfig& c) {
  const VisionConfig& v = c.vision;
  const Tower tower{v.layers, v.heads(), v.head_width};
  a.patches("img/embedding/kernel", "visual.trunk.patch_embed.proj.weight");
  a.vector("img/embedding/bias", "visual.trunk.patch_embed.proj.bias");
  a.same("img/pos_embedding", "visual.trunk.pos_embed",
         {1, static_cast<std::int64_t>(v.grid()) * v.grid(), v.width});
  blocks(a, "img/Transformer/", tower, "visual.trunk.blocks.",
         {"norm1", "norm2", "attn.qkv.", "attn.proj", "mlp.fc1", "mlp.fc2"});
  both(a, "img/Transformer/encoder_norm", "visual.trunk.norm");
  pooler(a, tower, v.width);
}

void text_tower(Arrays& a, const ModelConfig& c) {
  const TextConfig& t = c.text;
  a.same("txt/Embed_0/embedding", "text.token_embedding.weight", {t.vocab_size, t.width});
  a.same("txt/pos_embedding", "text.positional_embedding", {t.context_length, t.width});
  blocks(a, "txt/Encoder_0/", {t.layers, t.heads, t.width / t.heads}, "text.transformer.resblocks.",
         {"ln_1", "ln_2", "attn.in_proj_", "attn.out_proj", "mlp.c_fc", "mlp.c_proj"});
  both(a, "txt/Encoder_0/encoder_norm", "text.ln_final");
  dense(a, "txt/head", "text.text_projection");
}

// Throws unless the configuration is one that big_vision's SigLIP fits.
void check_siglip(const ModelConfig& c, const std::string& where) {
  const VisionConfig& v = c.vision;
  const TextConfig& t = c.text;
  const bool image = v.family == VisionFamily::kTimmVit && !timm_vit_model(v).class_token() &&
                     timm_vit_head(v).pool == "map" && v.timm.projection == "none";
  const bool text =
      t.hf.model.empty() && t.projection && t.projection_bias && !t.embed_class && !t.layer_scale;
  if (image && text && c.custom_text && c.init_logit_bias && !c.multimodal) return;
  throw Error(Kind::kUnsupported,
              where +
                  ": the configuration is not of SigLIP. Expected open_clip's of a ViT-*-SigLIP "
                  "or ViT-*-SigLIP2 model: a .npz of big_vision holds nothing else.");
}

// The arrays' file of a folder; empty: none.
fs::path archive_in(const fs::path& folder) {
  fs::path found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() != ".npz") continue;
    if (!found.empty()) {
      throw Error(Kind::kInput,
                  fmt::format("{}: several .npz files. Give the one to read.", folder.string()));
    }
    found = entry.path();
  }
  return found;
}

bool recognises(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path.extension() == ".npz";
  if (fs::exists(path / kWeightsFile, ignored) || !fs::exists(path / kConfigFile, ignored))
    return false;
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    if (entry.path().extension() == ".npz") return true;
  }
  return false;
}

Checkpoint read(const fs::path& path) {
  const fs::path file = fs::is_directory(path) ? archive_in(path) : path;
  const fs::path config = file.parent_path() / kConfigFile;
  if (!fs::exists(config)) {
    throw Error(Kind::kNotFound,
                fmt::format("{}: no {} beside it. An archive of big_vision does not say the size "
                            "of pictures, their preprocessing, the activation or the tokenizer: "
                            "put open_clip's configuration of the model there.",
                            file.string(), kConfigFile));
  }
  Checkpoint c;
  c.config = parse_model_config(json::read(config), config.string());
  c.weights = rename_big_vision(read_npz(file), c.config, file.string());
  return c;
}

}  // namespace

TensorMap rename_big_vision(const TensorMap& theirs, const ModelConfig& config,
                            const std::string& where) {
  check_siglip(config, where);
  Arrays arrays(theirs, where);
  image_tower(arrays, config);
  text_tower(arrays, config);
  arrays.same("t", "logit_scale", {});
  arrays.same("b", "logit_bias", {});
  return arrays.take();
}

const Dialect& big_vision_dialect() {
  static const Dialect kDialect = {
      "big-vision",
      "Google's SigLIP as big_vision writes it: a .npz with open_clip_config.json beside",
      recognises, read, nullptr};
  return kDialect;
}

}  // namespace tandem
