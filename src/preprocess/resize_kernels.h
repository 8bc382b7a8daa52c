// The two passes of a resize, for the CPU at hand. Exact: the same integers on every CPU. Private
// to this room.
#pragma once

#include "preprocess/image.h"
#include "preprocess/resize_taps.h"

namespace tandem {

constexpr int kRowsAtOnce = 4;  // rows that are resized together, sharing the loads of the weights

// Resizes rows [row_from, row_from + rows) of `in` to taps.outputs() pixels each, one after the
// other at `to`.
void resize_rows(const Image& in, const Taps& taps, int row_from, int rows, std::uint8_t* to);

// Rows of bytes, `stride` apart.
struct Rows {
  const std::uint8_t* first;
  std::size_t stride;
};

// Output `output` of the taps: a row of `size` bytes at `to`, where `from` starts with the first
// row that it needs.
void resize_column(const Rows& from, std::size_t size, const Taps& taps, int output,
                   std::uint8_t* to);

}  // namespace tandem
