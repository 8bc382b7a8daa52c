#include "preprocess/region.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

#include "core/error.h"

namespace tandem {

Image crop(const Image& image, const Region& region) {
  const double unit_x = region.percent ? image.width / 100.0 : 1;
  const double unit_y = region.percent ? image.height / 100.0 : 1;
  // NaN fails every comparison, and so ends below.
  const auto edge = [](double at, int side) {
    return static_cast<int>(std::lround(std::clamp(at, 0.0, static_cast<double>(side))));
  };
  const bool sane = region.width > 0 && region.height > 0 && std::isfinite(region.left) &&
                    std::isfinite(region.top);
  const int left = sane ? edge(region.left * unit_x, image.width) : 0;
  const int top = sane ? edge(region.top * unit_y, image.height) : 0;
  const int right = sane ? edge((region.left + region.width) * unit_x, image.width) : 0;
  const int bottom = sane ? edge((region.top + region.height) * unit_y, image.height) : 0;
  if (right <= left || bottom <= top) {
    throw Error(Kind::kInput,
                fmt::format("the region {},{},{},{} lies outside of a picture of {}x{} pixels. "
                            "Expected left, top, width, height within it.",
                            region.left, region.top, region.width, region.height, image.width,
                            image.height));
  }
  Image part;
  part.width = right - left;
  part.height = bottom - top;
  part.channels = image.channels;
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::size_t row_bytes = static_cast<std::size_t>(part.width) * channels;
  part.pixels.resize(row_bytes * static_cast<std::size_t>(part.height));
  for (int y = 0; y < part.height; ++y) {
    const std::size_t from =
        (static_cast<std::size_t>(top + y) * static_cast<std::size_t>(image.width) +
         static_cast<std::size_t>(left)) *
        channels;
    std::memcpy(part.pixels.data() + static_cast<std::size_t>(y) * row_bytes,
                image.pixels.data() + from, row_bytes);
  }
  return part;
}

}  // namespace tandem
