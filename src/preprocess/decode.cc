#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "preprocess/image.h"
#include "preprocess/picture_formats.h"

namespace tandem {
namespace {

std::string_view text_of(Bytes bytes, std::size_t limit) {
  return {reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), limit)};
}

Image with_alpha(const Image& in) {
  Image out{in.width, in.height, 4, {}};
  const std::size_t n = static_cast<std::size_t>(in.width) * in.height;
  out.pixels.resize(n * 4);
  for (std::size_t i = 0; i < n; ++i) {
    std::memcpy(&out.pixels[i * 4], &in.pixels[i * 3], 3);
    out.pixels[i * 4 + 3] = 255;
  }
  return out;
}

// RGBA over opaque white, with the arithmetic of Pillow's alpha_composite for an opaque backdrop.
void on_white(std::uint8_t* p) {
  const unsigned alpha = p[3] * 128U;  // 7 more bits of precision
  for (int c = 0; c < 3; ++c) {
    const unsigned sum = p[c] * alpha + 255U * (255U * 128U - alpha);
    const unsigned rounded = sum + (0x80U << 7);
    p[c] = static_cast<std::uint8_t>((((rounded >> 8) + rounded) >> 8) >> 7);
  }
}

Image without_alpha(Image in, Alpha alpha) {
  const std::size_t n = static_cast<std::size_t>(in.width) * in.height;
  for (std::size_t i = 0; i < n; ++i) {
    std::uint8_t* p = &in.pixels[i * 4];
    if (alpha == Alpha::kOnWhite) on_white(p);
    std::memmove(&in.pixels[i * 3], p, 3);
  }
  in.pixels.resize(n * 3);
  in.channels = 3;
  return in;
}

// A library's words: cut, and only printable ASCII, so that they cannot drive a terminal.
std::string clean(std::string_view text) {
  std::string out(text.substr(0, 80));
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  return out;
}

}  // namespace

void check_picture_size(const DecodeJob& job, std::int64_t width, std::int64_t height) {
  if (width < 1 || height < 1) {
    throw Error(Kind::kCorrupt, job.name + ": picture without pixels (" + std::to_string(width) +
                                    "x" + std::to_string(height) + ").");
  }
  if (width <= job.options.max_pixels / height) return;
  throw Error(Kind::kInput, job.name + ": picture of " + std::to_string(width) + "x" +
                                std::to_string(height) + " pixels. Expected at most " +
                                std::to_string(job.options.max_pixels) +
                                " pixels. Shrink it first.");
}

void throw_damaged(const DecodeJob& job, const char* format, const std::string& detail) {
  throw Error(Kind::kCorrupt, job.name + ": damaged " + format + " picture" +
                                  (detail.empty() ? "" : " (" + clean(detail) + ")") +
                                  ". Expected a complete file. Fetch or save it again.");
}

Image decode_image(std::span<const std::byte> bytes, const std::string& name,
                   const DecodeOptions& options) {
  const DecodeJob job{bytes, name, options};
  Decoded decoded = decode_png(job);
  Image image = std::move(decoded.image);
  if (image.channels == 4 && options.alpha != Alpha::kKeep) {
    image = without_alpha(std::move(image), options.alpha);
  } else if (image.channels == 3 && options.alpha == Alpha::kKeep) {
    image = with_alpha(image);
  }
  return image;
}

}  // namespace tandem
