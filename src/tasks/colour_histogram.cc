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

}  // namespace tandem
