// Which inputs make an output pixel of one axis of a resize, and with what weights. Private to this
// room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "preprocess/image.h"

namespace tandem {

// 32 bits less 8 for a pixel less 2 for overshoot: what an int32 sum of taps can hold.
constexpr int kPrecisionBits = 32 - 8 - 2;

// Output i reads count[i] inputs from first[i] on; their weights stand at weights[i * stride],
// followed by zeros up to a multiple of kTapGroup, and kTapGroup * 4 zeros follow the last of all,
// so that kernels may load whole vectors.
struct Taps {
  static constexpr int kTapGroup = 4;
  int stride = 0;
  std::vector<int> first;
  std::vector<int> count;
  std::vector<std::int32_t> weights;  // of 1 << kPrecisionBits

  int outputs() const { return static_cast<int>(first.size()); }
  const std::int32_t* weights_of(int output) const {
    return weights.data() + static_cast<std::size_t>(output) * stride;
  }
};

struct ResizeAxis {
  int in_size = 0;
  float from = 0, to = 0;  // the box; Pillow keeps it in float32
  int out_size = 0;
  int window_from = 0, window_size = 0;  // the outputs that are wanted
};

// Equals Pillow's precompute_coeffs and normalize_coeffs_8bpc.
// Requires: sizes above 0, 0 <= from < to <= in_size, the window inside out_size.
Taps make_taps(const ResizeAxis& axis, Filter filter);

}  // namespace tandem
