#include "engine/torch/batch_norm_kernels.h"

#include <ATen/Parallel.h>
#include <algorithm>
#include <functional>
#include <vector>

namespace tandem {
namespace {

constexpr std::size_t kBlockRows = 512;
constexpr std::size_t kWide = 64;  // fewer channels are handled as several rows side by side

inline float widen(std::uint16_t v) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(v) << 16);
}
inline std::uint16_t narrow(float v) {  // round to nearest even; values are finite
  const auto bits = __builtin_bit_cast(std::uint32_t, v);
  return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}
// +0 is not above 0, nor is a negative number: only positive bit patterns pass.
inline bool positive(std::uint16_t v) { return static_cast<std::int16_t>(v) > 0; }

// One row's worth each, written for the vectoriser and compiled for three instruction sets, of
// which the best is taken at run time.

[[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]] void statistics_block(
    std::size_t rows, std::size_t n, const std::uint16_t* __restrict x, float* __restrict sum,
    float* __restrict square) {
  for (std::size_t r = 0; r < rows; ++r, x += n) {
    for (std::size_t c = 0; c < n; ++c) {
      const float v = widen(x[c]);
      sum[c] += v;
      square[c] += v * v;
    }
  }
}

[[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]] void apply_block(
    std::size_t rows, std::size_t n, const std::uint16_t* __restrict x, const NormApply& how,
    std::uint16_t* __restrict y) {
  const float* __restrict scale = how.scale;
  const float* __restrict shift = how.shift;
  const std::uint16_t* __restrict residual = how.residual;
  const float low = how.relu ? 0.0F : -3.4e38F;
  for (std::size_t r = 0; r < rows; ++r, x += n, y += n) {
    if (residual != nullptr) {
      for (std::size_t c = 0; c < n; ++c) {
        const float v = widen(x[c]) * scale[c] + shift[c] + widen(residual[c]);
        y[c] = narrow(v > low ? v : low);
      }
      residual += n;
    } else {
      for (std::size_t c = 0; c < n; ++c) {
        const float v = widen(x[c]) * scale[c] + shift[c];
        y[c] = narrow(v > low ? v : low);
      }
    }
  }
}

[[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]] void gradient_sums_block(
    std::size_t rows, std::size_t n, const NormGradient& in, float* __restrict sum_g,
    float* __restrict sum_gx) {
  const std::uint16_t* __restrict dy = in.dy;
  const std::uint16_t* __restrict y = in.y;
  const std::uint16_t* __restrict x = in.x;
  for (std::size_t r = 0; r < rows; ++r, dy += n, x += n) {
    if (y != nullptr) {
      for (std::size_t c = 0; c < n; ++c) {
        const float g = positive(y[c]) ? widen(dy[c]) : 0.0F;
        sum_g[c] += g;
        sum_gx[c] += g * widen(x[c]);
      }
      y += n;
    } else {
      for (std::size_t c = 0; c < n; ++c) {
        const float g = widen(dy[c]);
        sum_g[c] += g;
        sum_gx[c] += g * widen(x[c]);
      }
    }
  }
}

[[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]] void mask_block(
    std::size_t count, const std::uint16_t* __restrict dy, const std::uint16_t* __restrict y,
    std::uint16_t* __restrict out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = positive(y[i]) ? dy[i] : std::uint16_t{0};
}

[[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]] void gradient_apply_block(
    std::size_t rows, std::size_t n, const NormGradient& in, const NormGradientApply& how,
    std::uint16_t* __restrict dx) {
  const std::uint16_t* __restrict dy = in.dy;
  const std::uint16_t* __restrict y = in.y;
  const std::uint16_t* __restrict x = in.x;
  const float* __restrict a = how.a;
  const float* __restrict b = how.b;
  const float* __restrict k = how.c;
  for (std::size_t r = 0; r < rows; ++r, dy += n, x += n, dx += n) {
    if (y != nullptr) {
      for (std::size_t c = 0; c < n; ++c) {
        const float g = positive(y[c]) ? widen(dy[c]) : 0.0F;
        dx[c] = narrow(g * a[c] + widen(x[c]) * b[c] + k[c]);
      }
      y += n;
    } else {
      for (std::size_t c = 0; c < n; ++c) {
        dx[c] = narrow(widen(dy[c]) * a[c] + widen(x[c]) * b[c] + k[c]);
      }
    }
  }
}

// How many rows are handled as one wide one.
std::size_t side_by_side(const RowShape& s) {
  if (s.channels >= kWide || kWide % s.channels != 0) return 1;
  const std::size_t times = kWide / s.channels;
  return s.rows % times == 0 ? times : 1;
}

std::vector<float> tiled(const float* values, std::size_t n, std::size_t times) {
  std::vector<float> out;
  out.reserve(n * times);
  for (std::size_t t = 0; t < times; ++t) out.insert(out.end(), values, values + n);
  return out;
}

std::size_t block_count(std::size_t rows) { return (rows + kBlockRows - 1) / kBlockRows; }

// Calls body(block, first row, rows) for blocks of the wide rows.
void for_blocks(std::size_t rows,
                const std::function<void(std::size_t, std::size_t, std::size_t)>& body) {
  at::parallel_for(0, static_cast<std::int64_t>(block_count(rows)), 4,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t b = begin; b < end; ++b) {
                       const std::size_t first = b * kBlockRows;
                       body(b, first, std::min(kBlockRows, rows - first));
                     }
                   });
}

// Sums two float vectors a block (made by `body`) into two double vectors a channel.
void sum_blocks(const RowShape& shape, double* first, double* second,
                const std::function<void(std::size_t, std::size_t, float*, float*)>& body) {
  const std::size_t times = side_by_side(shape);
  const std::size_t rows = shape.rows / times;
  const std::size_t n = shape.channels * times;
  std::vector<float> sums(block_count(rows) * 2 * n);
  for_blocks(rows, [&](std::size_t b, std::size_t row, std::size_t count) {
    float* out = sums.data() + b * 2 * n;
    body(row, count, out, out + n);
  });
  std::fill_n(first, shape.channels, 0.0);
  std::fill_n(second, shape.channels, 0.0);
  for (std::size_t b = 0; b < block_count(rows); ++b) {
    const float* in = sums.data() + b * 2 * n;
    for (std::size_t c = 0; c < n; ++c) {
      first[c % shape.channels] += in[c];
      second[c % shape.channels] += in[n + c];
    }
  }
}

NormGradient at_row(const NormGradient& in, std::size_t offset) {
  return {in.dy + offset, in.y == nullptr ? nullptr : in.y + offset, in.x + offset};
}

}  // namespace

void channel_statistics(const RowShape& shape, const std::uint16_t* x, double* mean,
                        double* variance) {
  const std::size_t n = shape.channels * side_by_side(shape);
  sum_blocks(shape, mean, variance,
             [&](std::size_t row, std::size_t count, float* sum, float* square) {
               statistics_block(count, n, x + row * n, sum, square);
             });
  for (std::size_t c = 0; c < shape.channels; ++c) {
    mean[c] /= static_cast<double>(shape.rows);
    variance[c] = std::max(0.0, variance[c] / static_cast<double>(shape.rows) - mean[c] * mean[c]);
  }
}

void norm_apply(const RowShape& shape, const std::uint16_t* x, const NormApply& how,
                std::uint16_t* y) {
  const std::size_t times = side_by_side(shape);
  const std::size_t n = shape.channels * times;
  const std::vector<float> scale = tiled(how.scale, shape.channels, times);
  const std::vector<float> shift = tiled(how.shift, shape.channels, times);
  for_blocks(shape.rows / times, [&](std::size_t, std::size_t row, std::size_t count) {
    const std::uint16_t* residual = how.residual == nullptr ? nullptr : how.residual + row * n;
    apply_block(count, n, x + row * n, {scale.data(), shift.data(), residual, how.relu},
                y + row * n);
  });
}

void norm_gradient_sums(const RowShape& shape, const NormGradient& in, double* sum_g,
                        double* sum_gx, std::uint16_t* out) {
  const std::size_t n = shape.channels * side_by_side(shape);
  sum_blocks(shape, sum_g, sum_gx, [&](std::size_t row, std::size_t count, float* g, float* gx) {
    gradient_sums_block(count, n, at_row(in, row * n), g, gx);
    if (out != nullptr) mask_block(count * n, in.dy + row * n, in.y + row * n, out + row * n);
  });
}

void norm_gradient_apply(const RowShape& shape, const NormGradient& in,
                         const NormGradientApply& how, std::uint16_t* dx) {
  const std::size_t times = side_by_side(shape);
  const std::size_t n = shape.channels * times;
  const std::vector<float> a = tiled(how.a, shape.channels, times);
  const std::vector<float> b = tiled(how.b, shape.channels, times);
  const std::vector<float> c = tiled(how.c, shape.channels, times);
  for_blocks(shape.rows / times, [&](std::size_t, std::size_t row, std::size_t count) {
    gradient_apply_block(count, n, at_row(in, row * n), {a.data(), b.data(), c.data()},
                         dx + row * n);
  });
}

}  // namespace tandem
