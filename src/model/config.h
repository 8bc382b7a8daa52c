// What a model is: open_clip's model_cfg and preprocess_cfg as plain structs. Immutable values.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "core/json.h"
#include "preprocess/transform.h"

namespace tandem {

enum class Activation { kNone, kGelu, kQuickGelu, kRelu };

// model_cfg.vision_cfg. A list of four `layers` means a ModifiedResNet, a number a ViT.
struct VisionConfig {
  int image_size_px = 224;
  bool is_resnet = false;
  int layers = 12;                        // ViT depth
  std::array<int, 4> stages{3, 4, 6, 3};  // ModifiedResNet blocks a stage
  int width = 768;
  int head_width = 64;
  double mlp_ratio = 4.0;
  int patch_px = 16;
  std::optional<double> layer_scale;  // ls_init_value
  double patch_dropout = 0.0;         // training only; 0..1
  bool no_ln_pre = false;
  bool final_ln_after_pool = false;
  bool pool_average = false;  // pool_type "avg" instead of the class token "tok"
  int heads() const { return (is_resnet ? width * 32 : width) / head_width; }
  int grid() const { return image_size_px / (is_resnet ? 32 : patch_px); }
};

// model_cfg.text_cfg: CLIP's causal text tower, pooled at end of text.
struct TextConfig {
  int context_length = 77;
  int vocab_size = 49'408;
  int width = 512;
  int heads = 8;
  int layers = 12;
  double mlp_ratio = 4.0;
  std::optional<double> layer_scale;
};

struct ModelConfig {
  int embed_dim = 512;
  VisionConfig vision;
  TextConfig text;
  bool quick_gelu = false;
  double init_logit_scale = 2.6592600369327779;  // ln(1/0.07), CLIP paper section 2.5
  PreprocessConfig preprocess;

  Activation activation() const { return quick_gelu ? Activation::kQuickGelu : Activation::kGelu; }
};

// Reads {"model_cfg":{…},"preprocess_cfg":{…}} (open_clip_config.json) or a bare model_cfg. `where`
// names the file in messages. Throws kCorrupt for wrong types or impossible values (width not a
// multiple of head width, sizes < 1 or absurd), kUnsupported naming every key that changes the
// numbers and is not implemented.
ModelConfig parse_model_config(const json::value& v, const std::string& where);

// The same file, as Tandem writes it: {"model_cfg":…, "preprocess_cfg":…}.
json::value to_json(const ModelConfig& config);

}  // namespace tandem
