#include "model/config.h"

#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "model/config_reader.h"

namespace tandem {
namespace {

using namespace config;

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

void read_resize_mode(const Reader& r, const VisionConfig& vision, PreprocessConfig& p) {
  const std::string mode = r.text("resize_mode", "shortest");
  if (mode == "shortest")
    p.resize_mode = ResizeMode::kShortest;
  else if (mode == "squash")
    p.resize_mode = ResizeMode::kSquash;
  else if (mode == "longest")
    p.resize_mode = ResizeMode::kLongest;
  else if (mode == "patches")
    p.resize_mode = ResizeMode::kPatches;
  else
    corrupt(r, "resize_mode",
            fmt::format("is \"{}\". Expected \"shortest\", \"squash\", \"longest\" or \"patches\".",
                        mode));
  const bool varied = p.resize_mode == ResizeMode::kPatches;
  if (varied != (vision.family == VisionFamily::kNaflex))
    corrupt(
        r, "resize_mode",
        fmt::format("is \"{}\". Expected \"patches\" for a NaFlex tower, and for no other.", mode));
  if (varied) return set_max_patches(r, "max_patches", vision, p);
  if (r.has("max_patches")) corrupt(r, "max_patches", "is only for resize_mode \"patches\".");
}

PreprocessConfig read_preprocess(const Reader& r, const VisionConfig& vision) {
  const int image_size_px = vision.image_size_px;
  r.refuse_unknown({"size", "mode", "mean", "std", "interpolation", "resize_mode", "fill_color",
                    "crop_offset", "max_patches"});
  PreprocessConfig p;
  p.size_px = square_size(r, "size", image_size_px);
  if (p.size_px != image_size_px) {
    corrupt(r, "size",
            fmt::format("is {}, but the image tower reads {} pixels.", p.size_px, image_size_px));
  }
  if (r.text("mode", "RGB") != "RGB") corrupt(r, "mode", "is not \"RGB\".");
  p.mean = read_triple(r, "mean", p.mean);
  p.std = read_triple(r, "std", p.std);
  for (const float m : p.mean) {
    if (!std::isfinite(m)) corrupt(r, "mean", "holds a value that is not finite.");
  }
  for (const float s : p.std) {
    if (!(s > 0 && std::isfinite(s))) corrupt(r, "std", "holds a value that is not positive.");
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
  read_resize_mode(r, vision, p);
  p.fill_color = static_cast<std::uint8_t>(bounded(r, "fill_color", 0, 0, 255));
  const std::string offset = r.text("crop_offset", "half_to_even");
  if (offset != "half_to_even" && offset != "down")
    corrupt(r, "crop_offset", "is neither \"half_to_even\" nor \"down\".");
  p.crop_offset = offset == "down" ? CropOffset::kDown : CropOffset::kHalfToEven;
  return p;
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
      case ResizeMode::kPatches:
        return "patches";
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
  if (p.crop_offset == CropOffset::kDown) o["crop_offset"] = "down";
  if (p.resize_mode == ResizeMode::kPatches) o["max_patches"] = p.max_patches;
  return o;
}

void require(const Reader& r, std::string_view key, bool holds, const std::string& problem) {
  if (!holds) corrupt(r, key, problem);
}

// What the towers' sizes must have in common.
void check_together(const Reader& r, const ModelConfig& c) {
  using Pool = VisionConfig::AttentionPool;
  const VisionConfig& v = c.vision;
  const bool vit = v.family == VisionFamily::kVit;
  const bool twice = v.attention_pool == Pool::kParallel || v.attention_pool == Pool::kCascade;
  if (vit && v.pool == VisionConfig::Pool::kNone && !twice) {
    throw Error(
        Kind::kUnsupported,
        fmt::format("{}: vision_cfg.pool_type: \"none\" gives no vector. Expected \"tok\" or "
                    "\"avg\", or attentional_pool \"parallel\" or \"cascade\".",
                    r.where()));
  }
  if (vit && v.attention_pool != Pool::kNone)
    require(r, "embed_dim", c.embed_dim % v.pooler_heads == 0,
            fmt::format("is no multiple of attn_pooler_heads {}.", v.pooler_heads));
  require(
      r, "embed_dim", !vit || !twice || c.embed_dim == v.width,
      fmt::format("is not vision_cfg.width {}, as attentional_pool \"parallel\" and \"cascade\" "
                  "need.",
                  v.width));
  const bool clip_text = c.text.hf.model.empty();
  require(r, "embed_dim", !clip_text || c.text.projection || c.embed_dim == c.text.width,
          fmt::format("is not text_cfg.width {}, and proj_type is \"none\".", c.text.width));
  if (!c.multimodal) return;
  const int tokens = v.attention_pool != Pool::kNone ? c.embed_dim : v.width;
  const bool fits = (!vit || (tokens == c.multimodal->width && v.output_tokens)) &&
                    (!clip_text || (c.text.width == c.multimodal->width && c.text.output_tokens));
  require(r, "multimodal_cfg", fits,
          fmt::format("has width {}: the towers' tokens do not fit. Expected output_tokens in both "
                      "towers, and tokens of that width.",
                      c.multimodal->width));
}

}  // namespace

ModelConfig parse_model_config(const json::value& v, const std::string& where) {
  const Reader root(v, where);
  const auto nested = root.child("model_cfg");
  const Reader& r = nested ? *nested : root;
  refuse_others(r,
                {"embed_dim", "vision_cfg", "text_cfg", "multimodal_cfg", "quick_gelu",
                 "custom_text", "init_logit_scale", "init_logit_bias"},
                {{"nonscalar_logit_scale"}});
  ModelConfig config;
  if (!r.has("embed_dim"))
    corrupt(r, "embed_dim", "is missing. Expected the width of the shared space.");
  config.embed_dim = bounded(r, "embed_dim", 512, 1, 16'384);
  config.vision = read_vision(r.required_child("vision_cfg"));
  check_timm(r, config.vision, config.embed_dim);
  config.text = read_text(r.required_child("text_cfg"));
  if (const auto decoder = r.child("multimodal_cfg")) config.multimodal = read_multimodal(*decoder);
  check_together(r, config);
  config.quick_gelu = r.boolean("quick_gelu", false);
  config.custom_text = r.boolean("custom_text", false) || !config.text.hf.model.empty() ||
                       config.multimodal.has_value();
  refuse_null(r, "init_logit_scale");
  config.init_logit_scale = r.number("init_logit_scale", config.init_logit_scale);
  if (r.has("init_logit_bias")) config.init_logit_bias = r.number("init_logit_bias");
  config.preprocess = default_preprocess(config.vision);
  if (const auto preprocess = root.child("preprocess_cfg"))
    config.preprocess = read_preprocess(*preprocess, config.vision);
  return config;
}

json::value to_json(const ModelConfig& config) {
  json::object model;
  model["embed_dim"] = config.embed_dim;
  if (config.quick_gelu) model["quick_gelu"] = true;
  if (config.init_logit_scale != ModelConfig{}.init_logit_scale)
    model["init_logit_scale"] = config.init_logit_scale;
  model["vision_cfg"] = vision_json(config.vision);
  model["text_cfg"] = text_json(config.text);
  if (config.multimodal) model["multimodal_cfg"] = multimodal_json(*config.multimodal);
  if (config.custom_text) model["custom_text"] = true;
  if (config.init_logit_bias) model["init_logit_bias"] = *config.init_logit_bias;

  json::object root;
  root["model_cfg"] = std::move(model);
  root["preprocess_cfg"] = preprocess_json(config.preprocess);
  return root;
}

}  // namespace tandem
