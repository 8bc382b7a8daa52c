// Parquet tables as rows of JSON, through tandem-parquet (src/parquet/table.h): a program of its
// own, whose memory is limited, beside this one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/child_process.h"
#include "core/json.h"

namespace tandem {

class ParquetReader {
 public:
  // Throws kNotFound, kCorrupt, kInput (takes too much memory), kUnsupported (tandem-parquet is not
  // there).
  explicit ParquetReader(const std::filesystem::path& file);
  std::uint64_t rows() const { return rows_; }  // as the footer states
  const std::vector<std::string>& columns() const { return columns_; }
  // Nothing at the end. Cells that are null have no key. Throws as the constructor does.
  std::optional<json::object> next();

 private:
  std::filesystem::path file_;
  std::unique_ptr<ChildProcess> child_;
  std::uint64_t rows_ = 0;
  std::uint64_t given_ = 0;
  std::vector<std::string> columns_;
};

struct ParquetColumn {
  enum class Type { kString, kInteger, kNumber, kBoolean };
  std::string name;
  Type type = Type::kString;
};

class ParquetWriter {
 public:
  ParquetWriter(const std::filesystem::path& file, const std::vector<ParquetColumn>& columns);
  // Missing keys are null. Values are of the column's type; other ones become JSON text in a column
  // of strings.
  void add(const json::object& row);
  // Throws kIo, …; the file appears, whole, when this returns.
  void finish();

 private:
  std::filesystem::path file_;
  std::unique_ptr<ChildProcess> child_;
  std::uint64_t rows_ = 0;
};

}  // namespace tandem
