#include "model/config.h"

#include <algorithm>
#include <fmt/format.h>
#include <initializer_list>
#include <string_view>

#include "core/error.h"

namespace tandem {
namespace {

using json::Reader;

// "c.json: embed_dim", "c.json: vision_cfg.width".
std::string path_of(const Reader& r, std::string_view key) {
  const bool nested = r.where().find(": ") != std::string::npos;
  return fmt::format("{}{}{}", r.where(), nested ? "." : ": ", key);
}

[[noreturn]] void corrupt(const Reader& r, std::string_view key, const std::string& problem) {
  throw Error(Kind::kCorrupt, fmt::format("{}: {}", path_of(r, key), problem));
}

int bounded(const Reader& r, std::string_view key, std::int64_t fallback, std::int64_t low,
            std::int64_t high) {
  const std::int64_t v = r.integer(key, fallback);
  if (v < low || v > high) corrupt(r, key, fmt::format("is {}. Expected {} to {}.", v, low, high));
  return static_cast<int>(v);
}

// Keys that are absent, null, false, 0 or their default change nothing; any other value would
// change the numbers.
struct Neutral {
  std::string_view key;
  std::string_view value = "";  // a text value that is the default
};

bool is_neutral(const json::value& v, std::string_view neutral_text) {
  switch (v.kind()) {
    case boost::json::kind::null:
      return true;
    case boost::json::kind::bool_:
      return !v.get_bool();
    case boost::json::kind::int64:
      return v.get_int64() == 0;
    case boost::json::kind::uint64:
      return v.get_uint64() == 0;
    case boost::json::kind::double_:
      return v.get_double() == 0;
    case boost::json::kind::string:
      return std::string_view(v.get_string()) == neutral_text;
    case boost::json::kind::array:
      return v.get_array().empty();
    case boost::json::kind::object:
      return v.get_object().empty();
  }
  return false;
}

// `known`: keys this reader understands; `neutral`: keys accepted only with a value that changes
// nothing.
void refuse_others(const Reader& r, std::initializer_list<std::string_view> known,
                   std::initializer_list<Neutral> neutral) {
  for (const auto& entry : r.raw()) {
    const std::string_view key = entry.key();
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const auto it = std::find_if(neutral.begin(), neutral.end(),
                                 [&](const Neutral& n) { return n.key == key; });
    if (it != neutral.end() && is_neutral(entry.value(), it->value)) continue;
    throw Error(Kind::kUnsupported,
                fmt::format("{}: \"{}\": {} is not supported by this version. Expected a CLIP ViT "
                            "or ModifiedResNet with "
                            "a causal CLIP text tower.",
                            r.where(), std::string_view(key), json::dump(entry.value())));
  }
}

// image_size and preprocess size may be a number or [n, n].
int square_size(const Reader& r, std::string_view key, int fallback) {
  const json::value* v = r.find(key);
  if (v == nullptr || !v->is_array()) return bounded(r, key, fallback, 1, 4096);
  const auto& list = v->get_array();
  const bool square =
      list.size() == 2 && list[0].is_int64() && list[1].is_int64() && list[0] == list[1];
  if (!square)
    throw Error(Kind::kUnsupported, fmt::format("{}: {} is not square. Expected one size.",
                                                path_of(r, key), json::dump(*v)));
  const auto size = list[0].get_int64();
  if (size < 1 || size > 4096) corrupt(r, key, fmt::format("is {}. Expected 1 to 4096.", size));
  return static_cast<int>(size);
}

std::optional<double> layer_scale(const Reader& r) {
  if (!r.has("ls_init_value")) return std::nullopt;
  return r.number("ls_init_value");
}

double mlp_ratio(const Reader& r) {
  const double ratio = r.number("mlp_ratio", 4.0);
  if (!(ratio > 0 && ratio <= 64))
    corrupt(r, "mlp_ratio", fmt::format("is {}. Expected more than 0, at most 64.", ratio));
  return ratio;
}

void read_layers(const Reader& r, VisionConfig& vision) {
  const json::value* layers = r.find("layers");
  if (layers == nullptr || !layers->is_array()) {
    vision.layers = bounded(r, "layers", 12, 1, 256);
    return;
  }
  const auto& list = layers->get_array();
  if (list.size() != 4)
    corrupt(r, "layers", "has not four stages. Expected a number (ViT) or four (ModifiedResNet).");
  vision.is_resnet = true;
  for (std::size_t i = 0; i < 4; ++i) {
    const bool fits = list[i].is_int64() && list[i].get_int64() >= 1 && list[i].get_int64() <= 256;
    if (!fits)
      corrupt(r, "layers", fmt::format("holds {}. Expected 1 to 256.", json::dump(list[i])));
    vision.stages[i] = static_cast<int>(list[i].get_int64());
  }
}

void check_divisible(const Reader& r, std::string_view key, int whole, int part) {
  if (whole % part != 0)
    corrupt(r, key, fmt::format("is {}, which does not divide {}.", part, whole));
}

VisionConfig read_vision(const Reader& r) {
  refuse_others(
      r,
      {"image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size", "ls_init_value",
       "patch_dropout", "no_ln_pre", "final_ln_after_pool", "pool_type", "attn_pooler_queries",
       "attn_pooler_heads", "output_tokens", "timm_pool", "timm_proj"},
      {{"attentional_pool"},
       {"pos_embed_type", "learnable"},
       {"act_kwargs"},
       {"norm_kwargs"},
       {"block_type", "default"},
       {"qk_norm"},
       {"scaled_cosine_attn"},
       {"scale_heads"},
       {"scale_attn_inner"},
       {"scale_attn"},
       {"scale_fc"},
       {"timm_model_name"},
       {"timm_model_pretrained"},
       {"timm_proj_bias"},
       {"timm_drop"},
       {"timm_drop_path"}});
  VisionConfig vision;
  read_layers(r, vision);
  vision.image_size_px = square_size(r, "image_size", 224);
  vision.width = bounded(r, "width", vision.is_resnet ? 64 : 768, 1, 16'384);
  vision.head_width = bounded(r, "head_width", 64, 1, 1024);
  vision.mlp_ratio = mlp_ratio(r);
  vision.patch_px = bounded(r, "patch_size", 16, 1, 256);
  vision.layer_scale = layer_scale(r);
  vision.patch_dropout = r.number("patch_dropout", 0);
  if (!(vision.patch_dropout >= 0 && vision.patch_dropout < 1))
    corrupt(r, "patch_dropout", "is not in [0,1).");
  vision.no_ln_pre = r.boolean("no_ln_pre", false);
  vision.final_ln_after_pool = r.boolean("final_ln_after_pool", false);
  const std::string pool = r.text("pool_type", "tok");
  if (pool != "tok" && pool != "avg") {
    throw Error(Kind::kUnsupported,
                fmt::format("{}.pool_type: \"{}\" is not supported. Expected \"tok\" or \"avg\".",
                            r.where(), pool));
  }
  vision.pool_average = pool == "avg";
  check_divisible(r, "head_width", vision.is_resnet ? vision.width * 32 : vision.width,
                  vision.head_width);
  if (vision.is_resnet) {
    check_divisible(r, "image_size", vision.image_size_px, 32);
    check_divisible(r, "width", vision.width, 2);
  }
  if (vision.grid() < 1)
    corrupt(r, "patch_size", fmt::format("is larger than image_size {}.", vision.image_size_px));
  return vision;
}

TextConfig read_text(const Reader& r) {
  refuse_others(r,
                {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio",
                 "ls_init_value", "pad_id", "eos_id", "output_tokens", "hf_model_pretrained",
                 "hf_proj_type", "hf_pooler_type"},
                {{"hf_tokenizer_name"},
                 {"tokenizer_mode"},
                 {"tokenizer_kwargs"},
                 {"embed_cls"},
                 {"no_causal_mask"},
                 {"final_ln_after_pool"},
                 {"pool_type", "argmax"},
                 {"proj_bias"},
                 {"proj_type", "linear"},
                 {"act_kwargs"},
                 {"norm_kwargs"},
                 {"block_type", "default"},
                 {"qk_norm"},
                 {"scaled_cosine_attn"},
                 {"scale_heads"},
                 {"scale_attn_inner"},
                 {"scale_attn"},
                 {"scale_fc"},
                 {"hf_model_name"}});
  TextConfig text;
  text.context_length = bounded(r, "context_length", 77, 2, 65'536);
  text.vocab_size = bounded(r, "vocab_size", 49'408, 514, 1'000'000);
  text.width = bounded(r, "width", 512, 1, 16'384);
  text.heads = bounded(r, "heads", 8, 1, 1024);
  text.layers = bounded(r, "layers", 12, 1, 256);
  text.mlp_ratio = mlp_ratio(r);
  text.layer_scale = layer_scale(r);
  check_divisible(r, "heads", text.width, text.heads);
  return text;
}

std::array<float, 3> read_triple(const Reader& r, std::string_view key,
                                 std::array<float, 3> fallback) {
  const json::value* v = r.find(key);
  if (v == nullptr) return fallback;
  if (!v->is_array() || v->get_array().size() != 3)
    corrupt(r, key, "has not three numbers, one a channel.");
  std::array<float, 3> out{};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& item = v->get_array()[i];
    if (!item.is_number())
      corrupt(r, key, fmt::format("holds {}. Expected a number.", json::dump(item)));
    out[i] = item.to_number<float>();
  }
  return out;
}

PreprocessConfig read_preprocess(const Reader& r, int image_size_px) {
  r.refuse_unknown({"size", "mode", "mean", "std", "interpolation", "resize_mode", "fill_color"});
  PreprocessConfig p;
  p.size_px = square_size(r, "size", image_size_px);
  if (p.size_px != image_size_px) {
    corrupt(r, "size",
            fmt::format("is {}, but the image tower reads {} pixels.", p.size_px, image_size_px));
  }
  if (r.text("mode", "RGB") != "RGB") corrupt(r, "mode", "is not \"RGB\".");
  p.mean = read_triple(r, "mean", p.mean);
  p.std = read_triple(r, "std", p.std);
  for (const float s : p.std) {
    if (!(s > 0)) corrupt(r, "std", "holds a value that is not positive.");
  }
  const std::string filter = r.text("interpolation", "bicubic");
  if (filter != "bicubic" && filter != "bilinear") {
    throw Error(
        Kind::kUnsupported,
        fmt::format(
            "{}.interpolation: \"{}\" is not supported. Expected \"bicubic\" or \"bilinear\".",
            r.where(), filter));
  }
  p.interpolation = filter == "bicubic" ? Filter::kBicubic : Filter::kBilinear;
  const std::string mode = r.text("resize_mode", "shortest");
  if (mode == "shortest")
    p.resize_mode = ResizeMode::kShortest;
  else if (mode == "squash")
    p.resize_mode = ResizeMode::kSquash;
  else if (mode == "longest")
    p.resize_mode = ResizeMode::kLongest;
  else
    corrupt(r, "resize_mode",
            fmt::format("is \"{}\". Expected \"shortest\", \"squash\" or \"longest\".", mode));
  p.fill_color = static_cast<std::uint8_t>(bounded(r, "fill_color", 0, 0, 255));
  return p;
}

json::object vision_json(const VisionConfig& v) {
  json::object o;
  o["image_size"] = v.image_size_px;
  if (v.is_resnet) {
    o["layers"] = json::array{v.stages[0], v.stages[1], v.stages[2], v.stages[3]};
  } else {
    o["layers"] = v.layers;
  }
  o["width"] = v.width;
  o["head_width"] = v.head_width;
  if (v.is_resnet) {
    o["patch_size"] = nullptr;
    return o;
  }
  o["patch_size"] = v.patch_px;
  o["mlp_ratio"] = v.mlp_ratio;
  if (v.layer_scale) o["ls_init_value"] = *v.layer_scale;
  if (v.patch_dropout > 0) o["patch_dropout"] = v.patch_dropout;
  if (v.no_ln_pre) o["no_ln_pre"] = true;
  if (v.final_ln_after_pool) o["final_ln_after_pool"] = true;
  if (v.pool_average) o["pool_type"] = "avg";
  return o;
}

json::array triple(const std::array<float, 3>& values) {
  json::array list;
  // The shortest decimal that reads back as the same float: 0.48145466, not its double expansion.
  for (const float f : values) list.emplace_back(std::stod(fmt::format("{}", f)));
  return list;
}

json::object preprocess_json(const PreprocessConfig& p) {
  const auto mode = [&]() -> std::string_view {
    switch (p.resize_mode) {
      case ResizeMode::kShortest:
        return "shortest";
      case ResizeMode::kSquash:
        return "squash";
      case ResizeMode::kLongest:
        return "longest";
    }
    return "";
  }();
  json::object o;
  o["size"] = p.size_px;
  o["mode"] = "RGB";
  o["mean"] = triple(p.mean);
  o["std"] = triple(p.std);
  o["interpolation"] = p.interpolation == Filter::kBicubic ? "bicubic" : "bilinear";
  o["resize_mode"] = mode;
  o["fill_color"] = p.fill_color;
  return o;
}

}  // namespace

ModelConfig parse_model_config(const json::value& v, const std::string& where) {
  const Reader root(v, where);
  const auto nested = root.child("model_cfg");
  const Reader& r = nested ? *nested : root;
  refuse_others(
      r, {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "init_logit_scale"},
      {{"custom_text"}, {"multimodal_cfg"}, {"init_logit_bias"}, {"nonscalar_logit_scale"}});
  ModelConfig config;
  config.embed_dim = bounded(r, "embed_dim", 512, 1, 16'384);
  config.vision = read_vision(r.required_child("vision_cfg"));
  config.text = read_text(r.required_child("text_cfg"));
  config.quick_gelu = r.boolean("quick_gelu", false);
  config.init_logit_scale = r.number("init_logit_scale", config.init_logit_scale);
  config.preprocess.size_px = config.vision.image_size_px;
  if (const auto preprocess = root.child("preprocess_cfg")) {
    config.preprocess = read_preprocess(*preprocess, config.vision.image_size_px);
  }
  return config;
}

json::value to_json(const ModelConfig& config) {
  json::object text;
  text["context_length"] = config.text.context_length;
  text["vocab_size"] = config.text.vocab_size;
  text["width"] = config.text.width;
  text["heads"] = config.text.heads;
  text["layers"] = config.text.layers;
  if (config.text.mlp_ratio != 4.0) text["mlp_ratio"] = config.text.mlp_ratio;
  if (config.text.layer_scale) text["ls_init_value"] = *config.text.layer_scale;

  json::object model;
  model["embed_dim"] = config.embed_dim;
  if (config.quick_gelu) model["quick_gelu"] = true;
  if (config.init_logit_scale != ModelConfig{}.init_logit_scale)
    model["init_logit_scale"] = config.init_logit_scale;
  model["vision_cfg"] = vision_json(config.vision);
  model["text_cfg"] = std::move(text);

  json::object root;
  root["model_cfg"] = std::move(model);
  root["preprocess_cfg"] = preprocess_json(config.preprocess);
  return root;
}

}  // namespace tandem
