#include <fmt/format.h>

#include "core/error.h"
#include "model/config_reader.h"
#include "model/timm.h"

namespace tandem::config {
namespace {

[[noreturn]] void unsupported(const Reader& r, std::string_view key, const std::string& value,
                              const std::string& expected) {
  throw Error(Kind::kUnsupported, fmt::format("{}: \"{}\" is not supported. Expected {}.",
                                              path_of(r, key), value, expected));
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
  vision.family = VisionFamily::kModifiedResNet;
  for (std::size_t i = 0; i < 4; ++i) {
    const bool fits = list[i].is_int64() && list[i].get_int64() >= 1 && list[i].get_int64() <= 256;
    if (!fits)
      corrupt(r, "layers", fmt::format("holds {}. Expected 1 to 256.", json::dump(list[i])));
    vision.stages[i] = static_cast<int>(list[i].get_int64());
  }
}

VisionConfig::Pool read_pool(const Reader& r) {
  const std::string pool = r.text("pool_type", "tok");
  if (pool == "tok") return VisionConfig::Pool::kToken;
  if (pool == "avg") return VisionConfig::Pool::kAverage;
  if (pool == "none") return VisionConfig::Pool::kNone;
  unsupported(r, "pool_type", pool, "\"tok\", \"avg\" or \"none\"");
}

// false, true, "parallel" or "cascade".
VisionConfig::AttentionPool read_attention_pool(const Reader& r) {
  using Pool = VisionConfig::AttentionPool;
  const json::value* v = r.find("attentional_pool");
  if (v == nullptr || v->is_null()) return Pool::kNone;
  if (v->is_bool()) return v->get_bool() ? Pool::kPlain : Pool::kNone;
  if (!v->is_string()) corrupt(r, "attentional_pool", "is neither true, false nor a name.");
  const std::string_view name = v->get_string();
  if (name.empty()) return Pool::kNone;
  if (name == "parallel") return Pool::kParallel;
  if (name == "cascade") return Pool::kCascade;
  unsupported(r, "attentional_pool", std::string(name), "true, \"parallel\" or \"cascade\"");
}

// A name of open_clip's, of which null and absence differ: "" and the default.
std::string nullable(const Reader& r, std::string_view key, std::string_view fallback) {
  if (!r.raw().contains(key)) return std::string(fallback);
  return r.has(key) ? r.text(key) : "";
}

void read_timm(const Reader& r, VisionConfig& vision) {
  vision.timm.model = r.text("timm_model_name", "");
  if (vision.timm.model.empty()) return;
  vision.timm.pool = nullable(r, "timm_pool", "avg");
  vision.timm.projection = nullable(r, "timm_proj", "linear");
  const std::string& projection = vision.timm.projection;
  if (!projection.empty() && projection != "none" && projection != "linear" && projection != "mlp")
    unsupported(r, "timm_proj", projection, "\"linear\", \"mlp\", \"none\" or null");
  vision.timm.projection_bias = r.boolean("timm_proj_bias", false);
  if (!r.has("image_size")) vision.image_size_px = 0;
  if (describe_timm(vision)) return read_timm_shape(r, vision);
  std::string names;
  for (const std::string& name : timm_names()) names += (names.empty() ? "" : ", ") + name;
  unsupported(r, "timm_model_name", vision.timm.model, "one of " + names);
}

void check_shape(const Reader& r, const VisionConfig& vision) {
  check_divisible(r, "head_width", vision.is_resnet() ? vision.width * 32 : vision.width,
                  vision.head_width);
  if (vision.is_resnet()) {
    check_divisible(r, "image_size", vision.image_size_px, 32);
    check_divisible(r, "width", vision.width, 2);
  }
  if (vision.grid() < 1)
    corrupt(r, "patch_size", fmt::format("is larger than image_size {}.", vision.image_size_px));
}

std::string_view pool_name(VisionConfig::Pool pool) {
  switch (pool) {
    case VisionConfig::Pool::kToken:
      return "tok";
    case VisionConfig::Pool::kAverage:
      return "avg";
    case VisionConfig::Pool::kNone:
      return "none";
  }
  return "";
}

json::object timm_json(const VisionConfig& v) {
  json::object o;
  o["image_size"] = v.image_size_px;
  o["timm_model_name"] = v.timm.model;
  o["timm_model_pretrained"] = false;
  o["timm_pool"] = v.timm.pool;
  if (v.timm.projection.empty()) {
    o["timm_proj"] = nullptr;
  } else {
    o["timm_proj"] = v.timm.projection;
  }
  if (v.timm.projection_bias) o["timm_proj_bias"] = true;
  timm_shape_json(v, o);
  return o;
}

void attention_pool_json(const VisionConfig& v, json::object& o) {
  using Pool = VisionConfig::AttentionPool;
  if (v.attention_pool == Pool::kNone) return;
  if (v.attention_pool == Pool::kPlain) o["attentional_pool"] = true;
  if (v.attention_pool == Pool::kParallel) o["attentional_pool"] = "parallel";
  if (v.attention_pool == Pool::kCascade) o["attentional_pool"] = "cascade";
  o["attn_pooler_queries"] = v.pooler_queries;
  o["attn_pooler_heads"] = v.pooler_heads;
}

}  // namespace

VisionConfig read_vision(const Reader& r) {
  refuse_others(r,
                {"image_size",
                 "layers",
                 "width",
                 "head_width",
                 "mlp_ratio",
                 "patch_size",
                 "ls_init_value",
                 "patch_dropout",
                 "no_ln_pre",
                 "final_ln_after_pool",
                 "pool_type",
                 "attentional_pool",
                 "attn_pooler_queries",
                 "attn_pooler_heads",
                 "output_tokens",
                 "pos_embed_type",
                 "timm_model_name",
                 "timm_model_pretrained",
                 "timm_shape",
                 "timm_pool",
                 "timm_proj",
                 "timm_proj_bias",
                 "timm_drop",
                 "timm_drop_path"},
                {{"act_kwargs"},
                 {"norm_kwargs"},
                 {"block_type", "default"},
                 {"qk_norm"},
                 {"scaled_cosine_attn"},
                 {"scale_heads"},
                 {"scale_attn_inner"},
                 {"scale_attn"},
                 {"scale_fc"}});
  VisionConfig vision;
  vision.image_size_px = square_size(r, "image_size", 224);
  read_timm(r, vision);
  if (!vision.timm.model.empty()) return vision;
  read_layers(r, vision);
  vision.width = bounded(r, "width", vision.is_resnet() ? 64 : 768, 1, 16'384);
  vision.head_width = bounded(r, "head_width", 64, 1, 1024);
  vision.mlp_ratio = mlp_ratio(r);
  // open_clip's configurations of ResNets say null.
  if (!vision.is_resnet()) vision.patch_px = bounded(r, "patch_size", 16, 1, 256);
  vision.layer_scale = layer_scale(r);
  vision.patch_dropout = r.number("patch_dropout", 0);
  if (!(vision.patch_dropout >= 0 && vision.patch_dropout < 1))
    corrupt(r, "patch_dropout", "is not in [0,1).");
  vision.no_ln_pre = r.boolean("no_ln_pre", false);
  vision.final_ln_after_pool = r.boolean("final_ln_after_pool", false);
  vision.output_tokens = r.boolean("output_tokens", false);
  vision.pool = read_pool(r);
  vision.attention_pool = read_attention_pool(r);
  vision.pooler_queries = bounded(r, "attn_pooler_queries", 256, 1, 65'536);
  vision.pooler_heads = bounded(r, "attn_pooler_heads", 8, 1, 1024);
  const std::string positions = r.text("pos_embed_type", "learnable");
  if (positions != "learnable" && positions != "sin_cos_2d")
    unsupported(r, "pos_embed_type", positions, "\"learnable\" or \"sin_cos_2d\"");
  vision.sine_positions = positions == "sin_cos_2d";
  check_shape(r, vision);
  return vision;
}

json::object vision_json(const VisionConfig& v) {
  if (!v.timm.model.empty()) return timm_json(v);
  json::object o;
  o["image_size"] = v.image_size_px;
  if (v.is_resnet()) {
    o["layers"] = json::array{v.stages[0], v.stages[1], v.stages[2], v.stages[3]};
  } else {
    o["layers"] = v.layers;
  }
  o["width"] = v.width;
  o["head_width"] = v.head_width;
  if (v.is_resnet()) {
    o["patch_size"] = nullptr;
    return o;
  }
  o["patch_size"] = v.patch_px;
  o["mlp_ratio"] = v.mlp_ratio;
  if (v.layer_scale) o["ls_init_value"] = *v.layer_scale;
  if (v.patch_dropout > 0) o["patch_dropout"] = v.patch_dropout;
  if (v.no_ln_pre) o["no_ln_pre"] = true;
  if (v.final_ln_after_pool) o["final_ln_after_pool"] = true;
  if (v.pool != VisionConfig::Pool::kToken) o["pool_type"] = pool_name(v.pool);
  if (v.output_tokens) o["output_tokens"] = true;
  if (v.sine_positions) o["pos_embed_type"] = "sin_cos_2d";
  attention_pool_json(v, o);
  return o;
}

}  // namespace tandem::config
