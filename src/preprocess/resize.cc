// Source: Pillow, src/libImaging/Resample.c and Image.py.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "preprocess/image.h"
#include "preprocess/resize_kernels.h"
#include "preprocess/resize_taps.h"
#include "preprocess/resize_window.h"

namespace tandem {
namespace {

Image empty_like(const Image& image, int width, int height) {
  Image out{width, height, image.channels, {}};
  out.pixels.resize(static_cast<std::size_t>(width) * height * image.channels);
  return out;
}

Image crop(const Image& in, int left, int top, int width, int height) {
  Image out = empty_like(in, width, height);
  const std::size_t row_bytes = static_cast<std::size_t>(width) * in.channels;
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

// Of `image` from pixel column `left` on.
Image resize_down(const Image& image, int left, int width, const Taps& down) {
  Image out = empty_like(image, width, down.outputs());
  const std::size_t stride = static_cast<std::size_t>(image.width) * image.channels;
  const std::size_t size = static_cast<std::size_t>(width) * image.channels;
  const std::uint8_t* start = image.pixels.data() + static_cast<std::size_t>(left) * image.channels;
  for (int y = 0; y < out.height; ++y) {
    resize_column({start + stride * down.first[y], stride}, size, down, y,
                  out.pixels.data() + size * y);
  }
  return out;
}

// Rows are resized as the columns come to need them, into a buffer that stays in the cache.
Image resize_both(const Image& image, const RowResizer& across, const Taps& down) {
  Image out = empty_like(image, across.outputs(), down.outputs());
  const std::size_t size = static_cast<std::size_t>(out.width) * out.channels;
  const int most = *std::max_element(down.count.begin(), down.count.end());
  const int capacity = 2 * (most + kRowsAtOnce);
  std::vector<std::uint8_t> buffer(size * capacity);
  int from = down.first.front(), to = from;  // the rows of `image` that the buffer holds
  const int end = down.first.back() + down.count.back();
  for (int y = 0; y < out.height; ++y) {
    const int need_from = down.first[y], need_to = need_from + down.count[y];
    while (to < need_to) {
      const int rows = std::min(kRowsAtOnce, end - to);
      if (to + rows - from > capacity) {
        std::copy(buffer.begin() + size * (need_from - from), buffer.begin() + size * (to - from),
                  buffer.begin());
        from = need_from;
      }
      across.resize(image, to, rows, buffer.data() + size * (to - from));
      to += rows;
    }
    resize_column({buffer.data() + size * (need_from - from), size}, size, down, y,
                  out.pixels.data() + size * y);
  }
  return out;
}

Image resize_pixels(const Image& image, const ResizePlan& plan) {
  const auto left = static_cast<float>(plan.box.left), top = static_cast<float>(plan.box.top);
  const auto right = static_cast<float>(plan.box.right);
  const auto bottom = static_cast<float>(plan.box.bottom);
  const ResizeAxis x{image.width, left, right, plan.full_width, plan.x, plan.width};
  const ResizeAxis y{image.height, top, bottom, plan.full_height, plan.y, plan.height};
  const auto untouched = [](const ResizeAxis& a) {
    return a.out_size == a.in_size && a.from == 0 && a.to == static_cast<float>(a.out_size);
  };
  if (untouched(x) && untouched(y)) {
    return crop(image, plan.x, plan.y, plan.width, plan.height);
  }
  if (untouched(x)) return resize_down(image, plan.x, plan.width, make_taps(y, plan.filter));
  if (untouched(y)) {
    Image out = empty_like(image, plan.width, plan.height);
    const RowResizer across(make_taps(x, plan.filter));
    across.resize(image, plan.y, plan.height, out.pixels.data());
    return out;
  }
  return resize_both(image, RowResizer(make_taps(x, plan.filter)), make_taps(y, plan.filter));
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
