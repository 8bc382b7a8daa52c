// Any bytes as a picture: an Error or a picture of the right size, then resized. Checksums of PNG
// chunks are repaired first, so that mutations reach what lies behind them. Seeds:
// tests/goldens/images/files.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "preprocess/image.h"
#include "preprocess/test_picture.h"
#include "preprocess/transform.h"

namespace {

void repair_png_checksums(std::vector<std::uint8_t>& bytes) {
  if (bytes.size() < 8 || bytes[0] != 0x89 || bytes[1] != 'P') return;
  std::size_t at = 8;  // chunk := length:u32 type:u32 data crc:u32
  while (bytes.size() - at >= 12) {
    const std::size_t length = std::size_t{bytes[at]} << 24 | std::size_t{bytes[at + 1]} << 16 |
                               std::size_t{bytes[at + 2]} << 8 | bytes[at + 3];
    if (length > bytes.size() - at - 12) return;
    const std::uint32_t crc = tandem::crc32({bytes.data() + at + 4, length + 4});
    at += 8 + length;
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes[at++] = static_cast<std::uint8_t>(crc >> shift);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> bytes(data, data + size);
  repair_png_checksums(bytes);
  constexpr tandem::Alpha kAlphas[] = {tandem::Alpha::kOnWhite, tandem::Alpha::kDrop,
                                       tandem::Alpha::kKeep};
  tandem::DecodeOptions options;
  options.alpha = kAlphas[size % 3];
  options.max_pixels = 1 << 16;
  try {
    const tandem::Image image =
        tandem::decode_image(std::as_bytes(std::span(bytes)), "fuzz", options);
    const std::size_t expected =
        static_cast<std::size_t>(image.width) * image.height * image.channels;
    if (image.pixels.size() != expected) std::abort();
    tandem::PreprocessConfig config;
    config.size_px = 24;
    config.resize_mode =
        size % 2 != 0 ? tandem::ResizeMode::kShortest : tandem::ResizeMode::kLongest;
    std::vector<std::uint8_t> out(24 * 24 * 3);
    tandem::transform_image(image, config, out);
  } catch (const tandem::Error&) {
  }
  return 0;
}
