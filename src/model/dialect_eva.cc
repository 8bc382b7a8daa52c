// The names that the authors of EVA-CLIP (baaivision/EVA) and of the Perception Encoder
// (facebookresearch/perception_models) give their tensors, in a .safetensors file. Source: timm
// 1.0.31 models/eva.py, checkpoint_filter_fn and _convert_pe. Such files carry no configuration:
// the shapes of their tensors say which model it is.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <utility>

#include "core/error.h"
#include "core/json.h"
#include "core/safetensors.h"
#include "model/dialect.h"
#include "model/eva.h"
#include "model/timm.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using Is = EvaModel::Kind;
using Names = std::vector<std::pair<std::string, std::string>>;  // theirs, ours

constexpr const char* kEvaMark = "visual.blocks.0.attn.proj.weight";
constexpr const char* kPerceptionMark = "visual.attn_pool.probe";
constexpr const char* kConfigKey = "open_clip_config";
constexpr int kTextHead = 64;  // columns of a head in every text tower of both

void add_both(Names& names, const std::string& theirs, const std::string& ours) {
  for (const char* end : {".weight", ".bias"}) names.emplace_back(theirs + end, ours + end);
}

void add_eva_block(Names& names, const EvaModel& model, const std::string& a,
                   const std::string& b) {
  add_both(names, a + "norm1", b + "norm1");
  add_both(names, a + "norm2", b + "norm2");
  add_both(names, a + "attn.proj", b + "attn.proj");
  if (!model.is(Is::kEva02)) {
    for (const char* same : {"attn.qkv.weight", "attn.q_bias", "attn.v_bias"})
      names.emplace_back(a + same, b + same);
    add_both(names, a + "mlp.fc1", b + "mlp.fc1");
    add_both(names, a + "mlp.fc2", b + "mlp.fc2");
    return;
  }
  for (const char* letter : {"q", "k", "v"}) {
    const std::string weight = fmt::format("attn.{}_proj.weight", letter);
    names.emplace_back(a + weight, b + weight);
  }
  names.emplace_back(a + "attn.q_bias", b + "attn.q_proj.bias");
  names.emplace_back(a + "attn.v_bias", b + "attn.v_proj.bias");
  add_both(names, a + "attn.inner_attn_ln", b + "attn.norm");
  add_both(names, a + "mlp.w1", b + "mlp.fc1_g");
  add_both(names, a + "mlp.w2", b + "mlp.fc1_x");
  add_both(names, a + "mlp.w3", b + "mlp.fc2");
  add_both(names, a + "mlp.ffn_ln", b + "mlp.norm");
}

// The text towers are OpenCLIP's; Meta's stands without "text.".
void add_text(Names& names, const std::string& theirs, const TextConfig& text) {
  for (const char* name : {"positional_embedding", "text_projection", "token_embedding.weight",
                           "ln_final.weight", "ln_final.bias"})
    names.emplace_back(theirs + name, std::string("text.") + name);
  for (int i = 0; i < text.layers; ++i) {
    const std::string block = fmt::format("transformer.resblocks.{}.", i);
    for (const char* name : {"attn.in_proj_weight", "attn.in_proj_bias"})
      names.emplace_back(theirs + block + name, "text." + block + name);
    for (const char* name : {"ln_1", "ln_2", "attn.out_proj", "mlp.c_fc", "mlp.c_proj"})
      add_both(names, theirs + block + name, "text." + block + name);
  }
  names.emplace_back("logit_scale", "logit_scale");
}

Names eva_tensor_names(const ModelConfig& config) {
  const EvaModel& model = eva_model(config.vision);
  Names names;
  names.emplace_back("visual.cls_token", "visual.trunk.cls_token");
  names.emplace_back("visual.pos_embed", "visual.trunk.pos_embed");
  add_both(names, "visual.patch_embed.proj", "visual.trunk.patch_embed.proj");
  add_both(names, "visual.norm", "visual.trunk.norm");
  add_both(names, "visual.head", "visual.trunk.head");
  for (int i = 0; i < config.vision.layers; ++i) {
    add_eva_block(names, model, fmt::format("visual.blocks.{}.", i),
                  fmt::format("visual.trunk.blocks.{}.", i));
  }
  add_text(names, "text.", config.text);
  return names;
}

// What of Meta's names is a mere renaming; the rest is in rename_perception.
Names perception_names(const ModelConfig& config) {
  Names names;
  names.emplace_back("visual.conv1.weight", "visual.trunk.patch_embed.proj.weight");
  add_both(names, "visual.ln_pre", "visual.trunk.norm_pre");
  add_both(names, "visual.ln_post", "visual.trunk.norm");
  for (int i = 0; i < config.vision.layers; ++i) {
    const std::string a = fmt::format("visual.transformer.resblocks.{}.", i);
    const std::string b = fmt::format("visual.trunk.blocks.{}.", i);
    names.emplace_back(a + "attn.in_proj_weight", b + "attn.qkv.weight");
    names.emplace_back(a + "attn.in_proj_bias", b + "attn.qkv.bias");
    add_both(names, a + "attn.out_proj", b + "attn.proj");
    add_both(names, a + "ln_1", b + "norm1");
    add_both(names, a + "ln_2", b + "norm2");
    add_both(names, a + "mlp.c_fc", b + "mlp.fc1");
    add_both(names, a + "mlp.c_proj", b + "mlp.fc2");
  }
  const std::string a = "visual.attn_pool.";
  const std::string b = "visual.trunk.attn_pool.";
  names.emplace_back(a + "probe", b + "latent");
  add_both(names, a + "attn.out_proj", b + "proj");
  add_both(names, a + "layernorm", b + "norm");
  add_both(names, a + "mlp.c_fc", b + "mlp.fc1");
  add_both(names, a + "mlp.c_proj", b + "mlp.fc2");
  add_text(names, "", config.text);
  return names;
}

// Rotary frequencies are computed, and some files list them.
void ignore_rope(TensorRenamer& renamer, const TensorMap& theirs) {
  for (const auto& [name, view] : theirs.tensors) {
    if (name.starts_with("visual.") && name.find("rope.") != std::string::npos)
      renamer.ignore(name);
  }
  renamer.ignore("attn_mask");
  renamer.ignore("text.attn_mask");
}

TensorMap rename_perception(const TensorMap& theirs, const ModelConfig& config,
                            const std::string& where) {
  const std::int64_t d = config.vision.width;
  TensorRenamer renamer(theirs, where);
  for (const auto& [from, to] : perception_names(config)) renamer.rename(from, to);
  for (const char* kind : {"weight", "bias"}) {
    const std::string joined = std::string("visual.attn_pool.attn.in_proj_") + kind;
    renamer.slice(joined, std::string("visual.trunk.attn_pool.q.") + kind, 0, d);
    renamer.slice(joined, std::string("visual.trunk.attn_pool.kv.") + kind, d, 3 * d);
  }
  if (eva_model(config.vision).class_token)
    renamer.reshape("visual.class_embedding", "visual.trunk.cls_token", {1, 1, d});
  const std::int64_t rows =
      config.vision.grid() * config.vision.grid() + eva_model(config.vision).prefix();
  renamer.reshape("visual.positional_embedding", "visual.trunk.pos_embed", {1, rows, d});
  renamer.transpose("visual.proj", "visual.trunk.head.weight");
  renamer.put("visual.trunk.head.bias", {config.embed_dim},
              std::vector<float>(static_cast<std::size_t>(config.embed_dim)));
  ignore_rope(renamer, theirs);
  return renamer.take();
}

// The side `axis` of a tensor of that rank, between 1 and 2^20.
int side(const TensorMap& map, const std::string& name, std::size_t rank, std::size_t axis,
         const std::string& where) {
  const auto it = map.tensors.find(name);
  const auto refuse = [&](const std::string& problem) {
    throw Error(Kind::kCorrupt, fmt::format("{}: tensor \"{}\" {}", where, name, problem));
  };
  if (it == map.tensors.end()) refuse("is missing. Expected a whole model of both towers.");
  const auto& shape = it->second.shape;
  if (shape.size() != rank)
    refuse(fmt::format("has {} dimensions. Expected {}.", shape.size(), rank));
  if (shape[axis] < 1 || shape[axis] > 1 << 20)
    refuse(fmt::format("has a side of {}. Expected 1 to 2^20.", shape[axis]));
  return static_cast<int>(shape[axis]);
}

int count_blocks(const TensorMap& map, const std::string& scope, const std::string& probe) {
  int n = 0;
  while (map.contains(fmt::format("{}{}.{}", scope, n, probe))) ++n;
  return n;
}

void infer_text(const TensorMap& map, const std::string& scope, const std::string& where,
                ModelConfig& config) {
  TextConfig& t = config.text;
  t.context_length = side(map, scope + "positional_embedding", 2, 0, where);
  t.width = side(map, scope + "positional_embedding", 2, 1, where);
  t.vocab_size = side(map, scope + "token_embedding.weight", 2, 0, where);
  t.layers = count_blocks(map, scope + "transformer.resblocks.", "ln_1.weight");
  t.heads = std::max(1, t.width / kTextHead);
  config.custom_text = true;
}

struct ImageShape {
  int width;
  int patch_px;
  int rows;  // of the position embedding
  int layers;
};

// The name of the model with these shapes.
void infer_vision(const ImageShape& shape, bool perception, const std::string& where,
                  VisionConfig& vision) {
  for (const std::string& name : eva_names()) {
    VisionConfig v;
    v.timm = {.model = name, .pool = perception ? "map" : "token", .projection = ""};
    const EvaModel& model = *find_eva(name);
    const int grid = static_cast<int>(std::lround(std::sqrt(shape.rows - model.prefix())));
    const bool fits = model.is(Is::kPerception) == perception && model.width == shape.width &&
                      model.patch_px == shape.patch_px && model.layers == shape.layers &&
                      grid >= 1 && grid * grid + model.prefix() == shape.rows;
    if (!fits) continue;
    v.image_size_px = grid * shape.patch_px;
    const bool better = v.image_size_px == model.image_px;
    if (!vision.timm.model.empty() && !better) continue;
    describe_eva(v);
    vision = v;
    if (better) return;
  }
  if (!vision.timm.model.empty()) return;
  throw Error(Kind::kUnsupported,
              fmt::format("{}: no known model has an image tower of {} layers, {} wide, with {} "
                          "positions and patches of {} pixels.",
                          where, shape.layers, shape.width, shape.rows, shape.patch_px));
}

fs::path file_of(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) ? path / "model.safetensors" : path;
}

bool recognises(const fs::path& path) {
  std::error_code ignored;
  const fs::path file = file_of(path);
  if (file.extension() != ".safetensors" || !fs::is_regular_file(file, ignored)) return false;
  if (fs::is_directory(path, ignored) && fs::exists(path / "config.json", ignored)) return false;
  try {
    const SafeTensors tensors = read_safetensors(file);
    return tensors.map.contains(kEvaMark) || tensors.map.contains(kPerceptionMark);
  } catch (const Error&) {
    return false;
  }
}

Checkpoint read(const fs::path& path) {
  const fs::path file = file_of(path);
  const SafeTensors theirs = read_safetensors(file);
  Checkpoint c;
  const auto it = theirs.metadata.find(kConfigKey);
  if (it != theirs.metadata.end()) {
    const std::string where = file.string() + " (" + kConfigKey + ")";
    c.config = parse_model_config(json::parse(it->second, where), where);
  } else {
    c.config = infer_eva_config(theirs.map, file.string());
  }
  c.weights = rename_eva(theirs.map, c.config, file.string());
  return c;
}

void write(const Checkpoint& checkpoint, const fs::path& folder, DType dtype) {
  const VisionConfig& v = checkpoint.config.vision;
  const bool expressible = v.family == VisionFamily::kEva && !eva_model(v).is(Is::kPerception) &&
                           v.timm.projection.empty() && v.timm.pool == "token" &&
                           checkpoint.config.custom_text;
  if (!expressible) {
    throw Error(Kind::kUnsupported,
                "dialect eva: expected an EVA-CLIP model, with the class token pooled and the "
                "trunk's own head. Use --to open-clip.");
  }
  const TensorMap from = with_dtype(checkpoint.weights, dtype);
  TensorRenamer renamer(from, checkpoint.name);
  for (const auto& [theirs, ours] : eva_tensor_names(checkpoint.config))
    renamer.rename(ours, theirs);
  fs::create_directories(folder);
  write_safetensors(folder / "model.safetensors", renamer.take(),
                    {{"format", "pt"}, {kConfigKey, json::dump(to_json(checkpoint.config))}});
}

}  // namespace

ModelConfig infer_eva_config(const TensorMap& theirs, const std::string& where) {
  const bool perception = theirs.contains(kPerceptionMark);
  ModelConfig config;
  ImageShape shape{};
  if (perception) {
    shape.width = side(theirs, "visual.positional_embedding", 2, 1, where);
    shape.rows = side(theirs, "visual.positional_embedding", 2, 0, where);
    shape.patch_px = side(theirs, "visual.conv1.weight", 4, 3, where);
    shape.layers = count_blocks(theirs, "visual.transformer.resblocks.", "ln_1.weight");
    config.embed_dim = side(theirs, "visual.proj", 2, 1, where);
    config.preprocess.mean = {0.5F, 0.5F, 0.5F};
    config.preprocess.std = {0.5F, 0.5F, 0.5F};
    config.preprocess.interpolation = Filter::kBilinear;
    config.preprocess.resize_mode = ResizeMode::kSquash;
  } else {
    shape.width = side(theirs, "visual.pos_embed", 3, 2, where);
    shape.rows = side(theirs, "visual.pos_embed", 3, 1, where);
    shape.patch_px = side(theirs, "visual.patch_embed.proj.weight", 4, 3, where);
    shape.layers = count_blocks(theirs, "visual.blocks.", "norm1.weight");
    config.embed_dim = side(theirs, "visual.head.weight", 2, 0, where);
  }
  infer_vision(shape, perception, where, config.vision);
  config.preprocess.size_px = config.vision.image_size_px;
  infer_text(theirs, perception ? "" : "text.", where, config);
  return config;
}

TensorMap rename_eva(const TensorMap& theirs, const ModelConfig& config, const std::string& where) {
  if (config.vision.family != VisionFamily::kEva)
    throw Error(Kind::kCorrupt, where + ": the configuration is not of an EVA. Expected one.");
  if (eva_model(config.vision).is(Is::kPerception)) return rename_perception(theirs, config, where);
  TensorRenamer renamer(theirs, where);
  for (const auto& [from, to] : eva_tensor_names(config)) renamer.rename(from, to);
  ignore_rope(renamer, theirs);
  return renamer.take();
}

const Dialect& eva_dialect() {
  static const Dialect kDialect = {
      "eva", "EVA-CLIP's own names (baaivision) in model.safetensors; reads Meta's PE-Core too",
      recognises, read, write};
  return kDialect;
}

}  // namespace tandem
