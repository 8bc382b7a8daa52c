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

// Python's round(): halves go to the even neighbour (the default rounding mode of nearbyint).
int round_half_even(double x) { return static_cast<int>(std::nearbyint(x)); }

// transformers' search for the largest scale whose patches, their last ones cut, are few enough.
PictureSize fit_patches(PictureSize shown, int patch_px, int max_patches) {
  constexpr double kClose = 1e-5;
  const auto side = [&](double scale, int px) {
    const double patches = std::ceil(px * scale / patch_px);
    return static_cast<int>(std::max(patches, 1.0)) * patch_px;
  };
  double low = kClose / 10;
  double high = 100.0;
  while (high - low >= kClose) {
    const double scale = (low + high) / 2;
    const double patches = static_cast<double>(side(scale, shown.height) / patch_px) *
                           (side(scale, shown.width) / patch_px);
    (patches <= max_patches ? low : high) = scale;
  }
  return {side(low, shown.width), side(low, shown.height)};
}

PictureSize resized(const Image& image, const PreprocessConfig& config) {
  const int size = config.size_px;
  const int w = image.width, h = image.height;
  switch (config.resize_mode) {
    case ResizeMode::kShortest: {
      const double product = static_cast<double>(size) * std::max(w, h);
      const auto longer = static_cast<std::int64_t>(product / std::min(w, h));
      if (longer > 1'000'000'000) break;
      const int l = static_cast<int>(longer);
      return w <= h ? PictureSize{size, l} : PictureSize{l, size};
    }
    case ResizeMode::kSquash:
      return {size, size};
    case ResizeMode::kLongest: {
      const double ratio = std::max(static_cast<double>(h) / size, static_cast<double>(w) / size);
      // At least 1: open_clip fails where a side would round to nothing.
      return {std::max(round_half_even(w / ratio), 1), std::max(round_half_even(h / ratio), 1)};
    }
    case ResizeMode::kPatches:
      return input_size(shown_size(image), config);
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

std::size_t PixelBatch::begin(int i) const {
  if (sizes.empty()) return size(0).bytes() * i;
  std::size_t bytes = 0;
  for (int before = 0; before < i; ++before) bytes += sizes[before].bytes();
  return bytes;
}

PixelBatch PixelBatch::part(int from, int to) const {
  PixelBatch part{to - from, size_px, {}};
  part.pixels.assign(pixels.begin() + static_cast<std::ptrdiff_t>(begin(from)),
                     pixels.begin() + static_cast<std::ptrdiff_t>(begin(to)));
  if (!sizes.empty()) part.sizes.assign(sizes.begin() + from, sizes.begin() + to);
  return part;
}

PictureSize input_size(PictureSize shown, const PreprocessConfig& config) {
  if (config.resize_mode != ResizeMode::kPatches) return {config.size_px, config.size_px};
  return fit_patches(shown, config.patch_px, config.max_patches);
}

PictureSize shown_size(const Image& image) {
  if (image.full_width > 0) return {image.full_width, image.full_height};
  return {image.width, image.height};
}

void transform_image(const Image& image, const PreprocessConfig& config,
                     std::span<std::uint8_t> out) {
  const PictureSize want = input_size(shown_size(image), config);
  assert(out.size() == want.bytes());
  assert(image.width > 0 && image.height > 0);
  const PictureSize full = resized(image, config);
  const Span x = centred(full.width, want.width, config.crop_offset);
  const Span y = centred(full.height, want.height, config.crop_offset);
  const Box whole{0, 0, static_cast<double>(image.width), static_cast<double>(image.height)};
  const Image part = resize_window(image, {full.width, full.height, config.interpolation, whole,
                                           x.from, y.from, x.count, y.count});
  if (x.count < want.width || y.count < want.height)
    std::fill(out.begin(), out.end(), config.fill_color);
  for (int row = 0; row < part.height; ++row) {
    const std::uint8_t* from =
        part.pixels.data() + static_cast<std::size_t>(row) * part.width * part.channels;
    std::uint8_t* to = out.data() + (static_cast<std::size_t>(y.to + row) * want.width + x.to) * 3;
    for (int i = 0; i < part.width; ++i) std::memcpy(to + i * 3, from + i * part.channels, 3);
  }
}

PixelBatch model_input(const Image& image, const PreprocessConfig& config) {
  PixelBatch picture{1, config.size_px, {}};
  const PictureSize size = input_size(shown_size(image), config);
  if (config.resize_mode == ResizeMode::kPatches) picture.sizes.push_back(size);
  picture.pixels.resize(size.bytes());
  transform_image(image, config, picture.pixels);
  return picture;
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
