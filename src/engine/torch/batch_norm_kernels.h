// Batch normalisation fused with the addition and the rectifier after it, on rows of bf16.
// Sums run in float32 over fixed blocks of rows, then in double, so results do not depend on the
// number of threads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem {

// All matrices below: (rows, channels), contiguous bf16. Channel vectors: float32.
struct RowShape {
  std::size_t rows = 0;
  std::size_t channels = 0;
};

// Mean and biased variance of each channel.
void channel_statistics(const RowShape& shape, const std::uint16_t* x, double* mean,
                        double* variance);

struct NormApply {
  const float* scale = nullptr;
  const float* shift = nullptr;
  const std::uint16_t* residual = nullptr;  // may be null
  bool relu = false;
};

// y = x * scale + shift (+ residual), rectified when asked.
void norm_apply(const RowShape& shape, const std::uint16_t* x, const NormApply& how,
                std::uint16_t* y);

// What the gradient behind the rectifier is: dy where y > 0; all of dy where y is null.
struct NormGradient {
  const std::uint16_t* dy = nullptr;
  const std::uint16_t* y = nullptr;
  const std::uint16_t* x = nullptr;
};

// Sums of that gradient g and of g * x, a channel. Writes g to `out` unless null.
void norm_gradient_sums(const RowShape& shape, const NormGradient& in, double* sum_g,
                        double* sum_gx, std::uint16_t* out);

// dx = g * a + x * b + c.
struct NormGradientApply {
  const float* a = nullptr;
  const float* b = nullptr;
  const float* c = nullptr;
};
void norm_gradient_apply(const RowShape& shape, const NormGradient& in,
                         const NormGradientApply& how, std::uint16_t* dx);

}  // namespace tandem
