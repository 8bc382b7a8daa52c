// transformers' CLIPModel: config.json, model.safetensors (or its shards),
// preprocessor_config.json. Source: transformers 5.23 models/clip.
#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "model/config_reader.h"
#include "model/dialect.h"
#include "model/hf_folder.h"
#include "model/hf_preprocess.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using namespace config;

constexpr int kLegacyEndId =
    2;  // what configurations said before transformers 4.31: argmax is meant

// One tensor here and there.
struct Name {
  enum class Kind { kSame, kTransposed, kJoined } kind;
  std::string theirs;  // kJoined: with {} for q, k and v
  std::string ours;
};

void add_tower(std::vector<Name>& names, const std::string& theirs, const std::string& ours,
               int layers) {
  const auto both = [&](const std::string& a, const std::string& b) {
    for (const char* end : {".weight", ".bias"})
      names.push_back({Name::Kind::kSame, a + end, b + end});
  };
  for (int i = 0; i < layers; ++i) {
    const std::string a = fmt::format("{}encoder.layers.{}.", theirs, i);
    const std::string b = fmt::format("{}transformer.resblocks.{}.", ours, i);
    both(a + "layer_norm1", b + "ln_1");
    both(a + "layer_norm2", b + "ln_2");
    both(a + "self_attn.out_proj", b + "attn.out_proj");
    both(a + "mlp.fc1", b + "mlp.c_fc");
    both(a + "mlp.fc2", b + "mlp.c_proj");
    for (const char* end : {"weight", "bias"})
      names.push_back({Name::Kind::kJoined, a + "self_attn.{}_proj." + end,
                       fmt::format("{}attn.in_proj_{}", b, end)});
  }
}

std::vector<Name> names_of(const ModelConfig& config) {
  using Kind = Name::Kind;
  const std::string text = config.text_scope();
  std::vector<Name> names = {
      {Kind::kSame, "logit_scale", "logit_scale"},
      {Kind::kSame, "vision_model.embeddings.class_embedding", "visual.class_embedding"},
      {Kind::kSame, "vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"},
      {Kind::kSame, "vision_model.embeddings.position_embedding.weight",
       "visual.positional_embedding"},
      {Kind::kTransposed, "visual_projection.weight", "visual.proj"},
      {Kind::kSame, "text_model.embeddings.token_embedding.weight",
       text + "token_embedding.weight"},
      {Kind::kSame, "text_model.embeddings.position_embedding.weight",
       text + "positional_embedding"},
      {Kind::kTransposed, "text_projection.weight", text + "text_projection"}};
  for (const char* end : {".weight", ".bias"}) {
    // "pre_layrnorm" is transformers' spelling.
    names.push_back({Kind::kSame, std::string("vision_model.pre_layrnorm") + end,
                     std::string("visual.ln_pre") + end});
    names.push_back({Kind::kSame, std::string("vision_model.post_layernorm") + end,
                     std::string("visual.ln_post") + end});
    names.push_back(
        {Kind::kSame, std::string("text_model.final_layer_norm") + end, text + "ln_final" + end});
  }
  add_tower(names, "vision_model.", "visual.", config.vision.layers);
  add_tower(names, "text_model.", text, config.text.layers);
  return names;
}

std::string part(const std::string& pattern, const char* letter) {
  return fmt::format(fmt::runtime(pattern), letter);
}

// The section as transformers sees it: NAME_config_dict, where given, replaces NAME_config.
Reader section(const Reader& root, const std::string& name, const json::value& empty) {
  if (auto old = root.child(name + "_config_dict")) return *old;
  if (auto own = root.child(name + "_config")) return *own;
  return Reader(empty, root.where() + ": " + name + "_config");
}

Activation read_activation(const Reader& r) {
  const std::string name = r.text("hidden_act", "quick_gelu");
  if (name == "quick_gelu") return Activation::kQuickGelu;
  if (name == "gelu" || name == "gelu_python") return Activation::kGelu;
  if (name == "gelu_pytorch_tanh" || name == "gelu_new" || name == "gelu_fast")
    return Activation::kGeluTanh;
  throw Error(Kind::kUnsupported, fmt::format("{}: \"{}\" is not supported. Expected "
                                              "\"quick_gelu\" or \"gelu\".",
                                              path_of(r, "hidden_act"), name));
}

VisionConfig read_vision_config(const Reader& r) {
  VisionConfig v;
  v.image_size_px = square_size(r, "image_size", 224);
  v.patch_px = bounded(r, "patch_size", 32, 1, 256);
  v.width = bounded(r, "hidden_size", 768, 1, 16'384);
  v.layers = bounded(r, "num_hidden_layers", 12, 1, 256);
  const int heads = bounded(r, "num_attention_heads", 12, 1, 1024);
  check_divisible(r, "num_attention_heads", v.width, heads);
  v.head_width = v.width / heads;
  v.mlp_ratio = ratio_for(bounded(r, "intermediate_size", 3072, 1, 64 * v.width), v.width);
  if (bounded(r, "num_channels", 3, 1, 64) != 3) corrupt(r, "num_channels", "is not 3.");
  if (v.grid() < 1)
    corrupt(r, "patch_size", fmt::format("is larger than image_size {}.", v.image_size_px));
  if (std::abs(r.number("layer_norm_eps", 1e-5) - 1e-5) > 1e-12)
    throw Error(Kind::kUnsupported,
                path_of(r, "layer_norm_eps") + ": expected 1e-05 in the image tower.");
  return v;
}

TextConfig read_text_config(const Reader& r) {
  TextConfig t;
  t.vocab_size = bounded(r, "vocab_size", 49'408, 514, 1'000'000);
  t.context_length = bounded(r, "max_position_embeddings", 77, 2, 65'536);
  t.width = bounded(r, "hidden_size", 512, 1, 16'384);
  t.layers = bounded(r, "num_hidden_layers", 12, 1, 256);
  t.heads = bounded(r, "num_attention_heads", 8, 1, 1024);
  check_divisible(r, "num_attention_heads", t.width, t.heads);
  t.mlp_ratio = ratio_for(bounded(r, "intermediate_size", 2048, 1, 64 * t.width), t.width);
  t.eps = r.number("layer_norm_eps", 1e-5);
  if (!(t.eps > 0 && t.eps < 1)) corrupt(r, "layer_norm_eps", "is not in (0,1).");
  // The first end of text is pooled. Where that is the last id of the vocabulary, as CLIP's
  // tokenizer has it, or the old 2 stands there, it is open_clip's argmax.
  const int end = bounded(r, "eos_token_id", 49'407, 0, 1'000'000);
  if (end != kLegacyEndId && end != t.vocab_size - 1) {
    t.pool = TextConfig::Pool::kEos;
    t.eos_id = end;
  }
  return t;
}

std::string model_type(const fs::path& folder) {
  try {
    const json::value v = json::read(folder / "config.json");
    return json::Reader(v, "config.json").text("model_type", "");
  } catch (const Error&) {
    return "";
  }
}

bool recognises(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored) || !fs::exists(path / "config.json", ignored)) return false;
  const std::string type = model_type(path);
  return type == "clip" || type == "clip_text_model" || type == "clip_vision_model";
}

void refuse_towers(const fs::path& folder) {
  const json::value v = json::read(folder / "config.json");
  const Reader r(v, (folder / "config.json").string());
  std::string what = r.text("model_type", "");
  if (const json::value* list = r.find("architectures");
      list && list->is_array() && !list->get_array().empty() && list->get_array()[0].is_string())
    what = std::string(list->get_array()[0].get_string());
  if (what == "clip" || what == "CLIPModel") return;
  throw Error(Kind::kUnsupported,
              fmt::format("{}: {} is not a whole CLIP model. Expected CLIPModel, which has both "
                          "towers and their projections.",
                          folder.string(), what));
}

Checkpoint read(const fs::path& folder) {
  refuse_towers(folder);
  return read_hf_folder(folder, parse_hf_clip_config, rename_hf_clip);
}

// Throws unless CLIPModel computes the same.
void check_expressible(const ModelConfig& c) {
  const auto refuse = [](const char* what) {
    throw Error(Kind::kUnsupported,
                fmt::format("dialect hf-clip: {} cannot be expressed: transformers' CLIPModel has "
                            "nothing like it. Use --to open-clip.",
                            what));
  };
  const VisionConfig& v = c.vision;
  const TextConfig& t = c.text;
  if (v.family != VisionFamily::kVit) refuse("an image tower that is not CLIP's ViT");
  if (v.layer_scale || t.layer_scale) refuse("ls_init_value");
  if (v.no_ln_pre) refuse("no_ln_pre");
  if (v.pool != VisionConfig::Pool::kToken) refuse("vision_cfg.pool_type");
  if (v.attention_pool != VisionConfig::AttentionPool::kNone) refuse("attentional_pool");
  if (v.sine_positions) refuse("pos_embed_type");
  if (c.multimodal) refuse("multimodal_cfg");
  if (c.init_logit_bias) refuse("a logit bias");
  if (!t.hf.model.empty()) refuse("a Hugging Face text tower");
  if (!t.causal) refuse("no_causal_mask");
  if (t.embed_class) refuse("embed_cls");
  if (!t.projection || t.projection_bias) refuse("text_cfg.proj_type or proj_bias");
  if (t.pool != TextConfig::Pool::kArgmax && t.pool != TextConfig::Pool::kEos)
    refuse("text_cfg.pool_type");
}

std::string_view activation_name(Activation activation) {
  if (activation == Activation::kQuickGelu) return "quick_gelu";
  return activation == Activation::kGeluTanh ? "gelu_pytorch_tanh" : "gelu";
}

json::object config_json(const ModelConfig& c) {
  const VisionConfig& v = c.vision;
  const TextConfig& t = c.text;
  const json::object vision{{"model_type", "clip_vision_model"},
                            {"hidden_size", v.width},
                            {"intermediate_size", static_cast<int>(v.width * v.mlp_ratio)},
                            {"num_hidden_layers", v.layers},
                            {"num_attention_heads", v.heads()},
                            {"num_channels", 3},
                            {"image_size", v.image_size_px},
                            {"patch_size", v.patch_px},
                            {"projection_dim", c.embed_dim},
                            {"hidden_act", activation_name(c.activation())},
                            {"layer_norm_eps", 1e-5}};
  // Argmax over CLIP's vocabulary finds its last id; over another, only the old rule says so.
  const int argmax_id = t.tokenizer_name.empty() ? t.vocab_size - 1 : kLegacyEndId;
  const json::object text{
      {"model_type", "clip_text_model"},
      {"vocab_size", t.vocab_size},
      {"hidden_size", t.width},
      {"intermediate_size", static_cast<int>(t.width * t.mlp_ratio)},
      {"num_hidden_layers", t.layers},
      {"num_attention_heads", t.heads},
      {"max_position_embeddings", t.context_length},
      {"projection_dim", c.embed_dim},
      {"hidden_act", activation_name(c.text_activation())},
      {"layer_norm_eps", t.eps},
      {"bos_token_id", t.vocab_size - 2},
      {"eos_token_id", t.pool == TextConfig::Pool::kEos ? t.eos_id : argmax_id}};
  return {{"architectures", json::array{"CLIPModel"}},
          {"model_type", "clip"},
          {"projection_dim", c.embed_dim},
          {"logit_scale_init_value", c.init_logit_scale},
          {"vision_config", vision},
          {"text_config", text}};
}

void write(const Checkpoint& checkpoint, const fs::path& folder, DType dtype) {
  const ModelConfig& c = checkpoint.config;
  check_expressible(c);
  const json::object preprocess = hf_preprocess_json(c.preprocess, "CLIPImageProcessor");
  const TensorMap from = with_dtype(checkpoint.weights, dtype);
  TensorRenamer renamer(from, checkpoint.name);
  for (const Name& name : names_of(c)) {
    if (name.kind == Name::Kind::kSame) renamer.rename(name.ours, name.theirs);
    if (name.kind == Name::Kind::kTransposed) renamer.transpose(name.ours, name.theirs);
    if (name.kind != Name::Kind::kJoined) continue;
    const std::int64_t rows = renamer.at(name.ours).shape.at(0) / 3;
    int i = 0;
    for (const char* letter : {"q", "k", "v"}) {
      renamer.slice(name.ours, part(name.theirs, letter), i * rows, (i + 1) * rows);
      ++i;
    }
  }
  renamer.ignore("attn_mask");
  write_hf_folder(folder, renamer.take(), preprocess, config_json(c));
}

}  // namespace

ModelConfig parse_hf_clip_config(const json::value& v, const std::string& where) {
  const Reader root(v, where);
  const json::value empty = json::object{};
  const Reader vision = section(root, "vision", empty);
  const Reader text = section(root, "text", empty);
  ModelConfig config;
  config.embed_dim = bounded(root, "projection_dim", 512, 1, 16'384);
  config.vision = read_vision_config(vision);
  config.text = read_text_config(text);
  config.init_logit_scale = root.number("logit_scale_init_value", 2.6592);
  const Activation image_act = read_activation(vision);
  const Activation text_act = read_activation(text);
  config.quick_gelu = image_act == Activation::kQuickGelu;
  config.text.gelu_tanh = text_act == Activation::kGeluTanh;
  const bool fits = image_act != Activation::kGeluTanh &&
                    (image_act == text_act || (config.text.gelu_tanh && !config.quick_gelu));
  if (!fits)
    throw Error(Kind::kUnsupported,
                fmt::format("{}: vision_config.hidden_act and text_config.hidden_act differ. "
                            "Expected \"gelu\" or \"quick_gelu\" in both.",
                            where));
  return config;
}

TensorMap rename_hf_clip(const TensorMap& theirs, const ModelConfig& config,
                         const std::string& where) {
  TensorRenamer renamer(theirs, where);
  for (const Name& name : names_of(config)) {
    if (name.kind == Name::Kind::kSame) renamer.rename(name.theirs, name.ours);
    if (name.kind == Name::Kind::kTransposed) renamer.transpose(name.theirs, name.ours);
    if (name.kind == Name::Kind::kJoined)
      renamer.join({part(name.theirs, "q"), part(name.theirs, "k"), part(name.theirs, "v")},
                   name.ours);
  }
  renamer.ignore("text_model.embeddings.position_ids");
  renamer.ignore("vision_model.embeddings.position_ids");
  return renamer.take();
}

const Dialect& hf_clip_dialect() {
  static const Dialect kDialect = {
      "hf-clip",
      "transformers' CLIPModel: config.json, preprocessor_config.json, model.safetensors",
      recognises, read, write};
  return kDialect;
}

}  // namespace tandem
