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

struct Format {
  std::size_t at;  // where the signature stands
  std::string_view signature;
  Decoded (*decode)(const DecodeJob&);
};

using namespace std::string_view_literals;

constexpr Format kFormats[] = {
    {0, "\xFF\xD8\xFF"sv, decode_jpeg}, {0, "\x89PNG\r\n\x1A\n"sv, decode_png},
    {8, "WEBP"sv, decode_webp},         {0, "GIF87a"sv, decode_gif},
    {0, "GIF89a"sv, decode_gif},
};

// Formats that are known but not read.
struct Foreign {
  std::size_t at;
  std::string_view signature;
  const char* what;
};

constexpr Foreign kForeign[] = {
    {4, "ftypavif"sv, "AVIF picture"},
    {4, "ftypavis"sv, "AVIF picture"},
    {4, "ftyphei"sv, "HEIC picture"},
    {4, "ftyphev"sv, "HEIC picture"},
    {4, "ftypmif1"sv, "HEIF picture"},
    {4, "ftypmsf1"sv, "HEIF picture"},
    {0, "II*\0"sv, "TIFF picture"},
    {0, "MM\0*"sv, "TIFF picture"},
    {0, "II+\0"sv, "BigTIFF picture"},
    {0, "BM"sv, "BMP picture"},
    {0, "\xFF\x0A"sv, "JPEG XL picture"},
    {4, "JXL "sv, "JPEG XL picture"},
    {4, "jP  \r\n"sv, "JPEG 2000 picture"},
    {0, "8BPS"sv, "Photoshop picture"},
    {0, "\0\0\1\0"sv, "icon file"},
    {0, "%PDF"sv, "PDF document"},
    {4, "ftyp"sv, "video or other MP4-like file"},
};

bool has_at(Bytes bytes, std::size_t at, std::string_view text) {
  return bytes.size() >= at + text.size() &&
         std::memcmp(bytes.data() + at, text.data(), text.size()) == 0;
}

// The first bytes as lower-case text, for formats that are text.
std::string head_of(Bytes bytes) {
  std::string head(reinterpret_cast<const char*>(bytes.data()),
                   std::min<std::size_t>(bytes.size(), 512));
  for (char& c : head) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return head;
}

[[noreturn]] void refuse_format(const DecodeJob& job) {
  if (job.bytes.empty()) {
    throw Error(Kind::kCorrupt,
                job.name + ": empty file. Expected a JPEG, PNG, WebP or GIF picture.");
  }
  const char* what = nullptr;
  for (const Foreign& foreign : kForeign) {
    if (what == nullptr && has_at(job.bytes, foreign.at, foreign.signature)) what = foreign.what;
  }
  const std::string head = head_of(job.bytes);
  if (what == nullptr && head.find("<svg") != std::string::npos) what = "SVG drawing";
  const bool html =
      head.find("<!doctype html") != std::string::npos || head.find("<html") != std::string::npos;
  if (html) {
    throw Error(Kind::kUnsupported, job.name +
                                        ": HTML page. Expected a JPEG, PNG, WebP or GIF picture. "
                                        "Perhaps a download went wrong.");
  }
  if (what == nullptr) {
    throw Error(Kind::kUnsupported,
                job.name + ": not a picture of a known format. Expected JPEG, PNG, WebP or GIF.");
  }
  throw Error(Kind::kUnsupported, job.name + ": " + what +
                                      ". Expected JPEG, PNG, WebP or GIF. Convert it, e.g. with "
                                      "\"magick INPUT OUTPUT.png\".");
}

Image with_alpha(const Image& in) {
  Image out{in.width, in.height, 4, {}, in.full_width, in.full_height};
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
  const auto* format = std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& f) {
    return has_at(bytes, f.at, f.signature);
  });
  if (format == std::end(kFormats)) refuse_format(job);
  Decoded decoded = format->decode(job);
  Image image = oriented(std::move(decoded.image), decoded.orientation);
  const bool turned = decoded.orientation >= 5;  // EXIF: rows become columns
  image.full_width = turned ? decoded.full_height : decoded.full_width;
  image.full_height = turned ? decoded.full_width : decoded.full_height;
  if (image.channels == 4 && options.alpha != Alpha::kKeep) {
    image = without_alpha(std::move(image), options.alpha);
  } else if (image.channels == 3 && options.alpha == Alpha::kKeep) {
    image = with_alpha(image);
  }
  return image;
}

}  // namespace tandem
