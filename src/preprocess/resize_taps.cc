// Source: Pillow, src/libImaging/Resample.c; the arithmetic, not the code. Built without
// contraction of a*b+c, which would round differently.
#include "preprocess/resize_taps.h"

#include <algorithm>
#include <cmath>

namespace tandem {
namespace {

double weight_at(Filter filter, double x) {
  x = std::fabs(x);
  if (filter == Filter::kBilinear) return x < 1.0 ? 1.0 - x : 0.0;
  constexpr double a = -0.5;  // Keys' cubic, as Pillow's BICUBIC
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

std::int32_t to_fixed(double weight) {
  const double scaled = weight * (1 << kPrecisionBits);
  return static_cast<std::int32_t>(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

}  // namespace

Taps make_taps(const ResizeAxis& axis, Filter filter) {
  const double scale = static_cast<double>(axis.to - axis.from) / axis.out_size;
  const double filter_scale = std::max(scale, 1.0);
  const double support = (filter == Filter::kBilinear ? 1.0 : 2.0) * filter_scale;
  const double inverse = 1.0 / filter_scale;
  const int most = static_cast<int>(std::ceil(support)) * 2 + 1;
  Taps taps;
  taps.stride = (most + Taps::kTapGroup - 1) / Taps::kTapGroup * Taps::kTapGroup;
  taps.first.resize(axis.window_size);
  taps.count.resize(axis.window_size);
  const std::size_t outputs = axis.window_size;
  taps.weights.assign(outputs * taps.stride + Taps::kTapGroup * std::size_t{4}, 0);
  std::vector<double> weights(most);
  for (int i = 0; i < axis.window_size; ++i) {
    const double center = axis.from + (axis.window_from + i + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int last = std::min(static_cast<int>(center + support + 0.5), axis.in_size);
    double sum = 0.0;
    for (int k = 0; k < last - first; ++k) {
      weights[k] = weight_at(filter, (k + first - center + 0.5) * inverse);
      sum += weights[k];
    }
    std::int32_t* to = taps.weights.data() + static_cast<std::size_t>(i) * taps.stride;
    for (int k = 0; k < last - first; ++k) {
      to[k] = to_fixed(sum != 0.0 ? weights[k] / sum : weights[k]);
    }
    taps.first[i] = first;
    taps.count[i] = std::max(last - first, 0);
  }
  return taps;
}

}  // namespace tandem
