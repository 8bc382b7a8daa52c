// Source: open_clip transform.py and torchvision's transforms.functional; rounding follows
// Python's.
#include "preprocess/transform.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "preprocess/resize_window.h"

namespace tandem {
namespace {

struct Size {
  int width, height;
};

// Python's round(): halves go to the even neighbour (the default rounding mode of nearbyint).
int round_half_even(double x) { return static_cast<int>(std::nearbyint(x)); }

Size resized(const Image& image, const PreprocessConfig& config) {
  const int size = config.size_px;
  const int w = image.width, h = image.height;
  switch (config.resize_mode) {
    case ResizeMode::kShortest: {
      const double product = static_cast<double>(size) * std::max(w, h);
      const auto longer = static_cast<std::int64_t>(product / std::min(w, h));
      if (longer > 1'000'000'000) break;
      const int l = static_cast<int>(longer);
      return w <= h ? Size{size, l} : Size{l, size};
    }
    case ResizeMode::kSquash:
      return {size, size};
    case ResizeMode::kLongest: {
      const double ratio = std::max(static_cast<double>(h) / size, static_cast<double>(w) / size);
      // At least 1: open_clip fails where a side would round to nothing.
      return {std::max(round_half_even(w / ratio), 1), std::max(round_half_even(h / ratio), 1)};
    }
  }
  throw Error(Kind::kInput, "picture of " + std::to_string(w) + "x" + std::to_string(h) +
                                " is too narrow to be resized.");
}

// One axis of a centred crop or padding: where it starts in the resized picture and in the output,
// and how much.
struct Span {
  int from, to, count;
};

Span centred(int have, int want, CropOffset offset) {
  if (have < want) return {0, (want - have) / 2, have};
  const int margin = have - want;
  return {offset == CropOffset::kDown ? margin / 2 : round_half_even(margin / 2.0), 0, want};
}

}  // namespace

void transform_image(const Image& image, const PreprocessConfig& config,
                     std::span<std::uint8_t> out) {
  const int size = config.size_px;
  assert(out.size() == static_cast<std::size_t>(size) * size * 3);
  assert(image.width > 0 && image.height > 0);
  const Size full = resized(image, config);
  const Span x = centred(full.width, size, config.crop_offset);
  const Span y = centred(full.height, size, config.crop_offset);
  const Box whole{0, 0, static_cast<double>(image.width), static_cast<double>(image.height)};
  const Image part = resize_window(image, {full.width, full.height, config.interpolation, whole,
                                           x.from, y.from, x.count, y.count});
  if (x.count < size || y.count < size) std::fill(out.begin(), out.end(), config.fill_color);
  for (int row = 0; row < part.height; ++row) {
    const std::uint8_t* from =
        part.pixels.data() + static_cast<std::size_t>(row) * part.width * part.channels;
    std::uint8_t* to = out.data() + (static_cast<std::size_t>(y.to + row) * size + x.to) * 3;
    for (int i = 0; i < part.width; ++i) std::memcpy(to + i * 3, from + i * part.channels, 3);
  }
}

NormaliseTable normalise_table(const PreprocessConfig& config) {
  NormaliseTable table;
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) {
      table[c][v] = (static_cast<float>(v) / 255.0F - config.mean[c]) / config.std[c];
    }
  }
  return table;
}

}  // namespace tandem
