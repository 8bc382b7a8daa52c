// The weight table: every tensor of a model by OpenCLIP name, with shape, initialisation and weight
// decay. One place that loading (what must be there), training (how it starts, what decays) and
// saving read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/rng.h"
#include "core/tensor.h"
#include "model/config.h"

namespace tandem {

struct Init {
  enum class Kind { kConstant, kNormal, kUniform, kSineGrid };
  Kind kind = Kind::kConstant;
  // The constant, the standard deviation, the bound of [-value, value), or the grid's side.
  double value = 0;
};

// Rows of a class token (zeros) and of a grid's points: [sin x | cos x | sin y | cos y], each at
// width / 4 frequencies from 1 to 1/10000 (open_clip pos_embed.py). (grid * grid + 1, width).
std::vector<float> sine_grid(int grid, int width);

struct WeightSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  Init init;
  bool trainable = true;  // false: batch norm's running statistics
  bool decays =
      true;  // open_clip's rule: rank >= 2 and no "bn", "ln", "bias", "logit_scale" in the name
};

// In checkpoint order. Initialisation follows open_clip 3.3 (init_parameters and PyTorch's layer
// defaults).
std::vector<WeightSpec> weight_table(const ModelConfig& config);

// Throws kCorrupt naming the first missing tensor, wrong shape, or unknown tensor
// (num_batches_tracked and attn_mask are ignored).
void check_weights(const std::vector<WeightSpec>& table, const TensorMap& map,
                   const std::string& where);

// Fresh float32 weights; each tensor draws from its own split of `rng`, so order does not matter.
TensorMap initial_weights(const std::vector<WeightSpec>& table, const Rng& rng);

}  // namespace tandem
