// Deterministic pictures and a checksum, the same as tools/goldens/images_common.py makes. For
// tests only.
#pragma once

#include <cstdint>
#include <span>

#include "preprocess/image.h"

namespace tandem {

// Blocks of 1 + seed%4 by 1 + seed%3 pixels of hashed values; odd seeds only have the extremes 0
// and 255.
inline Image test_picture(int width, int height, int channels, std::uint32_t seed) {
  Image image{width, height, channels, {}};
  image.pixels.reserve(static_cast<std::size_t>(width) * height * channels);
  for (std::uint32_t y = 0; y < static_cast<std::uint32_t>(height); ++y) {
    for (std::uint32_t x = 0; x < static_cast<std::uint32_t>(width); ++x) {
      for (std::uint32_t c = 0; c < static_cast<std::uint32_t>(channels); ++c) {
        const std::uint32_t bx = x / (1 + seed % 4), by = y / (1 + seed % 3);
        std::uint32_t v =
            (bx * 73856093U) ^ (by * 19349663U) ^ (c * 83492791U) ^ (seed * 2654435761U);
        v = (v ^ (v >> 15)) * 2246822519U;
        v = (v ^ (v >> 13)) * 3266489917U;
        v >>= 24;
        image.pixels.push_back(static_cast<std::uint8_t>(seed % 2 != 0 ? (v < 128 ? 0 : 255) : v));
      }
    }
  }
  return image;
}

// CRC-32 as zlib.crc32.
inline std::uint32_t crc32(std::span<const std::uint8_t> bytes) {
  std::uint32_t crc = ~0U;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1U ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

}  // namespace tandem
