// The two passes of a resize, for the CPU at hand. Exact: the same integers on every CPU. Private
// to this room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "preprocess/image.h"
#include "preprocess/resize_taps.h"

namespace tandem {

constexpr int kRowsAtOnce = 4;  // rows that are resized together, sharing the loads of the weights

// The horizontal pass. Immutable; safe to share.
class RowResizer {
 public:
  explicit RowResizer(Taps taps);

  int outputs() const { return taps_.outputs(); }

  // Resizes rows [row_from, row_from + rows) of `in` to outputs() pixels each, one after the other
  // at `to`. Faster for a multiple of kRowsAtOnce.
  void resize(const Image& in, int row_from, int rows, std::uint8_t* to) const;

 private:
  Taps taps_;
  std::vector<std::int8_t> vnni_weights_;  // empty where the CPU has no VNNI
};

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
