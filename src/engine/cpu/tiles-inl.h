// AMX tiles of 16 rows of 64 bytes, as the kernels here configure them. Included only by files
// compiled for AMX.
#pragma once

#include <cstdint>
#include <immintrin.h>

namespace tandem {

static constexpr int kTile = 16;   // rows of a tile, and float32 columns
static constexpr int kPairs = 32;  // bf16 columns of a tile
static constexpr int kTileBytes = 1024;
static constexpr int kTileValues = 512;  // bf16 values of a tile

struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t column_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

}  // namespace tandem
