// What the readers of model configurations share: bounded numbers, and keys that would change the
// numbers and are refused. Only for config*.cc.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"
#include "model/config.h"

namespace tandem::config {

using json::Reader;

// "c.json: embed_dim", "c.json: vision_cfg.width".
std::string path_of(const Reader& r, std::string_view key);
[[noreturn]] void corrupt(const Reader& r, std::string_view key, const std::string& problem);
// A number that the reference cannot do without: null is not its default.
void refuse_null(const Reader& r, std::string_view key);
int bounded(const Reader& r, std::string_view key, std::int64_t fallback, std::int64_t low,
            std::int64_t high);
void check_divisible(const Reader& r, std::string_view key, int whole, int part);

// Keys that are absent, null, false, 0, empty or their default change nothing; any other value
// would change the numbers.
struct Neutral {
  std::string_view key;
  std::string_view value = "";  // a text value that is the default
};
// `known`: keys this reader understands; `neutral`: keys accepted only with a value that changes
// nothing. Throws kUnsupported naming the first other one.
void refuse_others(const Reader& r, std::initializer_list<std::string_view> known,
                   std::initializer_list<Neutral> neutral);

// image_size and preprocess size may be a number or [n, n].
int square_size(const Reader& r, std::string_view key, int fallback);
std::optional<double> layer_scale(const Reader& r);
double mlp_ratio(const Reader& r);

VisionConfig read_vision(const Reader& r);
// timm_shape; see config_timm_vit.cc.
void read_timm_shape(const Reader& r, VisionConfig& vision);
void timm_shape_json(const VisionConfig& vision, json::object& o);
// That the pieces of a timm tower fit each other. `r`: of model_cfg.
void check_timm(const Reader& r, const VisionConfig& vision, int embed_dim);
json::object vision_json(const VisionConfig& vision);
TextConfig read_text(const Reader& r);
json::object text_json(const TextConfig& text);
MultimodalConfig read_multimodal(const Reader& r);
json::object multimodal_json(const MultimodalConfig& multimodal);

// Of a configuration that does not say how its pictures are prepared.
PreprocessConfig default_preprocess(const VisionConfig& vision);
// Preparation for a NaFlex tower; `key` names the most patches of a picture.
void set_max_patches(const Reader& r, std::string_view key, const VisionConfig& vision,
                     PreprocessConfig& p);

}  // namespace tandem::config
