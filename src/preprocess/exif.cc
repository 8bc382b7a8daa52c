// exif := ["Exif" 0 0] order:"II"|"MM" 42:u16 ifd_offset:u32 …   (offsets from `order`)
// ifd  := count:u16 { tag:u16 type:u16 n:u32 value:u32 }*
#include <cstring>
#include <optional>
#include <utility>

#include "preprocess/picture_formats.h"
#include "preprocess/tiff_reader.h"

namespace tandem {
namespace {

constexpr std::uint16_t kOrientationTag = 0x0112;
constexpr std::uint16_t kShort = 3;  // EXIF type: u16

}  // namespace

int exif_orientation(Bytes exif) {
  const auto tiff = TiffReader::open(exif);
  if (!tiff) return 1;
  const std::size_t ifd = tiff->first_directory();
  const auto count = tiff->get(ifd, 2);
  if (!count) return 1;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const std::size_t entry = ifd + 2 + std::size_t{12} * i;
    const auto tag = tiff->get(entry, 2);
    if (!tag) return 1;
    if (*tag != kOrientationTag) continue;
    const auto value = tiff->get(entry + 8, 2);
    const bool valid = tiff->get(entry + 2, 2) == kShort && value && *value >= 1 && *value <= 8;
    return valid ? static_cast<int>(*value) : 1;
  }
  return 1;
}

Image oriented(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  // Shown pixel (x,y) is stored pixel: mirrored across, mirrored down, then with axes swapped from
  // 5 on.
  const bool swap = orientation >= 5;
  const bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const int channels = image.channels;
  Image out{swap ? image.height : image.width, swap ? image.width : image.height, channels, {}};
  out.pixels.resize(image.pixels.size());
  const std::ptrdiff_t step_x = (flip_x ? -1 : 1) * channels;
  const std::ptrdiff_t step_y =
      (flip_y ? -1 : 1) * static_cast<std::ptrdiff_t>(image.width) * channels;
  const std::size_t start_x = flip_x ? image.width - 1 : 0;
  const std::size_t start_y = flip_y ? image.height - 1 : 0;
  const std::uint8_t* start = image.pixels.data() + (start_y * image.width + start_x) * channels;
  const std::ptrdiff_t across = swap ? step_y : step_x, down = swap ? step_x : step_y;
  std::uint8_t* to = out.pixels.data();
  for (int y = 0; y < out.height; ++y) {
    const std::uint8_t* from = start + down * y;
    for (int x = 0; x < out.width; ++x, from += across, to += channels) {
      std::memcpy(to, from, channels);
    }
  }
  return out;
}

}  // namespace tandem
