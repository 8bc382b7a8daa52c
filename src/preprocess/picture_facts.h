// What a camera wrote into a picture's file (EXIF): when, where, with what, and the words that a
// person added. Reads a few kilobytes, decodes no pixels.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace tandem {

struct PictureFacts {
  std::string description;  // ImageDescription or UserComment, at most 8 KB of UTF-8
  std::string taken;        // "2024-05-01T12:30:00", local time, with its offset where stated
  std::string camera;       // "Canon EOS 5D"
  std::string lens;
  std::optional<double> latitude;  // degrees, north and east positive
  std::optional<double> longitude;
};

// file: an encoded JPEG, PNG or WebP picture. Never throws: what is missing or broken is left out.
PictureFacts picture_facts(std::span<const std::byte> file);

}  // namespace tandem
