// Arrow's way of failing to Tandem's.
#pragma once

#include <arrow/result.h>
#include <arrow/status.h>
#include <string>

#include "tandem/error.h"

namespace tandem::parquet_program {

[[noreturn]] inline void throw_arrow(const arrow::Status& status, const std::string& file) {
  if (status.IsOutOfMemory()) {
    throw Error(Kind::kInput, file +
                                  ": reading it takes more memory than a table should need. "
                                  "Expected row groups of at most some hundred megabytes.");
  }
  const auto kind = status.IsIOError() || status.IsInvalid() || status.IsSerializationError()
                        ? Kind::kCorrupt
                        : Kind::kUnsupported;
  throw Error(kind, file + ": cannot be read as Parquet: " + status.message());
}

inline void check(const arrow::Status& status, const std::string& file) {
  if (!status.ok()) throw_arrow(status, file);
}

template <typename T>
T checked(arrow::Result<T> result, const std::string& file) {
  if (!result.ok()) throw_arrow(result.status(), file);
  return std::move(result).ValueUnsafe();
}

}  // namespace tandem::parquet_program
