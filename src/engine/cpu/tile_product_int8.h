// Matrix products of 8-bit integers on AMX tiles, and the row quantisation that feeds them. See
// docs/quantize.md for the scheme.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/cpu/kernels.h"

namespace tandem {

// Depths of int8 products are padded with zeros to a multiple of this: one AMX tile's row.
constexpr int kInt8Depth = 64;
constexpr int padded_depth(int depth) { return (depth + kInt8Depth - 1) / kInt8Depth * kInt8Depth; }

// out (M,N) = [out +] act(row_scale[m] * column_scale[n] * (a (M,K) * W) + bias), W packed by
// pack_tiles_int8(); the product itself is exact. Columns [column_begin, column_end) of it.
// Requires: K a multiple of 64, N of 32; a readable up to the next multiple of 32 rows, and
// row_scales too.
struct TileProductInt8 {
  const std::int8_t* a = nullptr;
  const float* row_scales = nullptr;
  const std::int8_t* weights = nullptr;
  const float* column_scales = nullptr;
  const float* bias = nullptr;  // null: none
  void* out = nullptr;
  Element type = Element::kBf16;  // of out: kBf16 or kF32
  bool add = false;               // Requires: type kF32, activation kNone
  TileProduct::Activation activation = TileProduct::Activation::kNone;
  int m = 0;
  int k = 0;
  int n = 0;
  int column_begin = 0;
  int column_end = 0;
};

// Part of amx_kernels().
void tile_product_int8(const TileProductInt8& product);

// W (out,in) row-major to the order tile_product_int8 reads: panels of 32 columns, in each 64 by 32
// blocks down the depth, a block as two tiles of 16 columns with fours of the depth side by side.
// Writes out * padded_depth(in) values.
void pack_tiles_int8(const std::int8_t* weights, int in, int out, std::int8_t* packed);

}  // namespace tandem
