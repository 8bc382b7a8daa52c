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

// A file's rows, some at a time, from where they lie (mapped). Throws as read_npy.
class NpyReader {
 public:
  explicit NpyReader(const std::filesystem::path& path);
  std::uint64_t rows() const { return rows_; }
  std::uint64_t cols() const { return cols_; }
  // (count,cols). Requires: first + count <= rows().
  Matrix read(std::uint64_t first, std::uint64_t count) const;

 private:
  MappedFile file_;
  std::uint64_t rows_ = 0;
  std::uint64_t cols_ = 0;
  NpyDType dtype_ = NpyDType::kF32;
  std::span<const std::byte> values_;
};

// Also reads versions 2 and 3, whose headers may be longer.
Matrix read_npy(const std::filesystem::path&
                    path);  // throws kNotFound, kCorrupt, kUnsupported (other dtypes, orders)

// The same over bytes (fuzzing, tests). `name` is used in messages.
Matrix parse_npy(std::span<const std::byte> bytes, const std::string& name);

}  // namespace tandem
