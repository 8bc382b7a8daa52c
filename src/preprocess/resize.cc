// Source: Pillow, src/libImaging/Resample.c and Image.py; the arithmetic, not the code.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "preprocess/image.h"
#include "preprocess/resize_window.h"

namespace tandem {
namespace {

// 32 bits less 8 for a pixel less 2 for overshoot: what an int32 sum of taps can hold.
constexpr int kPrecisionBits = 32 - 8 - 2;

// Taps of one axis: output i reads count[i] inputs from first[i], with weights[i * stride ...].
struct Taps {
  int stride = 0;
  std::vector<int> first;
  std::vector<int> count;
  std::vector<std::int32_t> weights;
};

struct Axis {
  int in_size;
  float from, to;  // Pillow keeps the box in float32
  int out_size;
  int window_from, window_size;
};

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

Taps make_taps(const Axis& axis, Filter filter) {
  const double scale = static_cast<double>(axis.to - axis.from) / axis.out_size;
  const double filter_scale = std::max(scale, 1.0);
  const double support = (filter == Filter::kBilinear ? 1.0 : 2.0) * filter_scale;
  const double inverse = 1.0 / filter_scale;
  Taps taps;
  taps.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  taps.first.resize(axis.window_size);
  taps.count.resize(axis.window_size);
  taps.weights.assign(static_cast<std::size_t>(axis.window_size) * taps.stride, 0);
  std::vector<double> weights(taps.stride);
  for (int i = 0; i < axis.window_size; ++i) {
    const double center = axis.from + (axis.window_from + i + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int last = std::min(static_cast<int>(center + support + 0.5), axis.in_size);
    double sum = 0.0;
    for (int k = 0; k < last - first; ++k) {
      weights[k] = weight_at(filter, (k + first - center + 0.5) * inverse);
      sum += weights[k];
    }
    for (int k = 0; k < last - first; ++k) {
      const double weight = sum != 0.0 ? weights[k] / sum : weights[k];
      taps.weights[static_cast<std::size_t>(i) * taps.stride + k] = to_fixed(weight);
    }
    taps.first[i] = first;
    taps.count[i] = std::max(last - first, 0);
  }
  return taps;
}

std::uint8_t clip8(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

// rows [row_from, row_from + rows) of `in` to an image of taps.first.size() x rows.
Image resize_rows(const Image& in, const Taps& taps, int row_from, int rows) {
  Image out{static_cast<int>(taps.first.size()), rows, in.channels, {}};
  const int channels = in.channels;
  out.pixels.resize(static_cast<std::size_t>(out.width) * rows * channels);
  std::uint8_t* to = out.pixels.data();
  for (int y = 0; y < rows; ++y) {
    const std::uint8_t* row =
        in.pixels.data() + static_cast<std::size_t>(row_from + y) * in.width * channels;
    for (int x = 0; x < out.width; ++x) {
      const std::int32_t* weights = &taps.weights[static_cast<std::size_t>(x) * taps.stride];
      const std::uint8_t* from = row + static_cast<std::size_t>(taps.first[x]) * channels;
      for (int c = 0; c < channels; ++c) {
        std::int32_t sum = 1 << (kPrecisionBits - 1);
        for (int k = 0; k < taps.count[x]; ++k) sum += from[k * channels + c] * weights[k];
        *to++ = clip8(sum);
      }
    }
  }
  return out;
}

// `in` starts at source row `row_from`.
Image resize_columns(const Image& in, const Taps& taps, int row_from) {
  Image out{in.width, static_cast<int>(taps.first.size()), in.channels, {}};
  const std::size_t row_bytes = static_cast<std::size_t>(in.width) * in.channels;
  out.pixels.resize(row_bytes * out.height);
  std::vector<std::int32_t> sums(row_bytes);
  for (int y = 0; y < out.height; ++y) {
    std::fill(sums.begin(), sums.end(), 1 << (kPrecisionBits - 1));
    const std::int32_t* weights = &taps.weights[static_cast<std::size_t>(y) * taps.stride];
    const std::uint8_t* from = in.pixels.data() + row_bytes * (taps.first[y] - row_from);
    for (int k = 0; k < taps.count[y]; ++k, from += row_bytes) {
      const std::int32_t weight = weights[k];
      for (std::size_t i = 0; i < row_bytes; ++i) sums[i] += from[i] * weight;
    }
    std::uint8_t* to = out.pixels.data() + row_bytes * y;
    for (std::size_t i = 0; i < row_bytes; ++i) to[i] = clip8(sums[i]);
  }
  return out;
}

Image crop(const Image& in, int left, int top, int width, int height) {
  Image out{width, height, in.channels, {}};
  const std::size_t row_bytes = static_cast<std::size_t>(width) * in.channels;
  out.pixels.resize(row_bytes * height);
  for (int y = 0; y < height; ++y) {
    const std::size_t from = (static_cast<std::size_t>(top + y) * in.width + left) * in.channels;
    std::copy_n(in.pixels.data() + from, row_bytes, out.pixels.data() + row_bytes * y);
  }
  return out;
}

// a*b/255, rounded, as Pillow's MULDIV255.
std::uint8_t multiply(int a, int b) {
  const int t = a * b + 128;
  return static_cast<std::uint8_t>(((t >> 8) + t) >> 8);
}

void premultiply(Image& image) {
  for (std::size_t i = 0; i + 3 < image.pixels.size(); i += 4) {
    std::uint8_t* p = &image.pixels[i];
    for (int c = 0; c < 3; ++c) p[c] = multiply(p[c], p[3]);
  }
}

void unpremultiply(Image& image) {
  for (std::size_t i = 0; i + 3 < image.pixels.size(); i += 4) {
    std::uint8_t* p = &image.pixels[i];
    if (p[3] == 0 || p[3] == 255) continue;
    for (int c = 0; c < 3; ++c) p[c] = static_cast<std::uint8_t>(std::min(255 * p[c] / p[3], 255));
  }
}

void check(const Image& image, const ResizePlan& plan) {
  if (plan.full_width < 1 || plan.full_height < 1 || plan.width < 1 || plan.height < 1) {
    throw Error(Kind::kInput, "cannot resize to " + std::to_string(plan.full_width) + "x" +
                                  std::to_string(plan.full_height) +
                                  ". Both sides must be at least 1.");
  }
  const Box& box = plan.box;
  // Written so that a NaN is refused too.
  if (!(box.left >= 0 && box.top >= 0 && box.right <= image.width && box.bottom <= image.height &&
        box.right > box.left && box.bottom > box.top)) {
    throw Error(Kind::kInput, "cannot resize: the box is empty or reaches outside the picture.");
  }
}

Image resize_pixels(const Image& image, const ResizePlan& plan) {
  const auto left = static_cast<float>(plan.box.left), top = static_cast<float>(plan.box.top);
  const auto right = static_cast<float>(plan.box.right),
             bottom = static_cast<float>(plan.box.bottom);
  const bool horizontal =
      plan.full_width != image.width || left != 0 || right != static_cast<float>(plan.full_width);
  const bool vertical = plan.full_height != image.height || top != 0 ||
                        bottom != static_cast<float>(plan.full_height);
  if (!vertical) {
    if (!horizontal) return crop(image, plan.x, plan.y, plan.width, plan.height);
    const Taps taps =
        make_taps({image.width, left, right, plan.full_width, plan.x, plan.width}, plan.filter);
    return resize_rows(image, taps, plan.y, plan.height);
  }
  const Taps taps =
      make_taps({image.height, top, bottom, plan.full_height, plan.y, plan.height}, plan.filter);
  const int row_from = taps.first.front();
  const int rows = taps.first.back() + taps.count.back() - row_from;
  if (!horizontal) {
    return resize_columns(crop(image, plan.x, row_from, plan.width, rows), taps, row_from);
  }
  const Taps across =
      make_taps({image.width, left, right, plan.full_width, plan.x, plan.width}, plan.filter);
  return resize_columns(resize_rows(image, across, row_from, rows), taps, row_from);
}

}  // namespace

Image resize(const Image& image, int width, int height, Filter filter) {
  const Box whole{0, 0, static_cast<double>(image.width), static_cast<double>(image.height)};
  return resize(image, width, height, filter, whole);
}

Image resize(const Image& image, int width, int height, Filter filter, const Box& box) {
  return resize_window(image, {width, height, filter, box, 0, 0, width, height});
}

Image resize_window(const Image& image, const ResizePlan& plan) {
  check(image, plan);
  const bool same_size = plan.full_width == image.width && plan.full_height == image.height;
  const Box& box = plan.box;
  const bool whole =
      box.left == 0 && box.top == 0 && box.right == image.width && box.bottom == image.height;
  if (same_size && whole) return crop(image, plan.x, plan.y, plan.width, plan.height);
  if (image.channels == 3) return resize_pixels(image, plan);
  // Premultiplied, so that invisible pixels do not bleed into visible ones.
  Image work = image;
  premultiply(work);
  work = resize_pixels(work, plan);
  unpremultiply(work);
  return work;
}

}  // namespace tandem
