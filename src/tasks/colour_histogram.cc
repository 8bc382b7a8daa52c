#include "tasks/colour_histogram.h"

#include <array>
#include <cassert>
#include <cmath>

namespace tandem {

void colour_histogram(const Image& image, std::span<float> out) {
  assert(image.channels == 3 && !image.pixels.empty() && out.size() == kHistogramWidth);
  std::array<std::size_t, kHistogramWidth> counts{};
  for (std::size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
    const auto level = [&](std::size_t channel) {
      return static_cast<std::size_t>(image.pixels[i + channel]) / 64;
    };
    ++counts[(level(0) * 4 + level(1)) * 4 + level(2)];
  }
  const auto pixels = static_cast<double>(image.pixels.size() / 3);
  for (std::size_t bin = 0; bin < kHistogramWidth; ++bin) {
    out[bin] = static_cast<float>(std::sqrt(static_cast<double>(counts[bin]) / pixels));
  }
}

Matrix mean_histograms(const Matrix& histograms, std::span<const std::size_t> group_of,
                       std::size_t groups) {
  assert(group_of.size() == histograms.rows);
  Matrix means(groups, histograms.cols);
  for (std::size_t i = 0; i < histograms.rows; ++i) {
    const auto from = histograms.row(i);
    const auto to = means.row(group_of[i]);
    for (std::size_t bin = 0; bin < from.size(); ++bin) to[bin] += from[bin];
  }
  for (std::size_t g = 0; g < groups; ++g) {
    double sum = 0;
    for (const float v : means.row(g)) sum += static_cast<double>(v) * v;
    if (sum == 0) continue;
    for (float& v : means.row(g)) v = static_cast<float>(v / std::sqrt(sum));
  }
  return means;
}

}  // namespace tandem
