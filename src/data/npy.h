// NumPy .npy version 1.0 files of 2-D float32/float16, little-endian, C order.
#pragma once

#include <filesystem>
#include <span>

#include "tandem/matrix.h"

#include "core/files.h"

namespace tandem {

enum class NpyDType { kF16, kF32 };

// Streams rows to an AtomicFile; the row count in the header is set by finish(), which also
// commits.
class NpyWriter {
 public:
  NpyWriter(const std::filesystem::path& path, std::size_t cols, NpyDType dtype);
  void add(std::span<const float> row);
  std::size_t rows() const { return rows_; }
  void finish();

 private:
  AtomicFile file_;
  std::size_t cols_;
  std::size_t rows_ = 0;
  NpyDType dtype_;
};

// Also reads versions 2 and 3, whose headers may be longer.
Matrix read_npy(const std::filesystem::path&
                    path);  // throws kNotFound, kCorrupt, kUnsupported (other dtypes, orders)

// The same over bytes (fuzzing, tests). `name` is used in messages.
Matrix parse_npy(std::span<const std::byte> bytes, const std::string& name);

}  // namespace tandem
