// Position embeddings for a picture of another size than a file's (open_clip resize_pos_embed; timm
// resample_abs_pos_embed): bicubic, widened when shrinking, as torch's interpolate with antialias.
// NaFlex resizes them for every picture, bilinearly.
#pragma once

#include <vector>

#include "core/tensor.h"
#include "model/config.h"

namespace tandem {

// Patches of a picture.
struct GridSize {
  int height = 0;
  int width = 0;
  int cells() const { return height * width; }
};

// rows: (from*from, width), row-major. Returns (to.cells(), width), bilinear, widened when
// shrinking: torch's interpolate with antialias, as transformers' Siglip2VisionEmbeddings.
std::vector<float> resize_grid(const float* rows, int from, GridSize to, int width);

// rows: (prefix + from*from, width), the first `prefix` of no place in the grid. Returns
// (prefix + to*to, width).
std::vector<float> resample_positions(const std::vector<float>& rows, int prefix, int from, int to,
                                      int width);

// Replaces the image tower's position embedding where only its number of rows is not that of the
// configuration's picture size, and both are grids. Leaves anything else for check_weights.
void fit_positions(const ModelConfig& config, TensorMap& weights);

}  // namespace tandem
