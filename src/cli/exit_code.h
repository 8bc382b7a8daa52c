// The one mapping from failures to exit codes. docs/command-line.md lists them for users.
#pragma once

#include "tandem/error.h"

namespace tandem::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kRowsSkipped = 7;  // with --strict

constexpr int exit_code(Kind kind) {
  switch (kind) {
    case Kind::kInput:
    case Kind::kUnsupported:
      return 3;
    case Kind::kNotFound:
      return 4;
    case Kind::kCorrupt:
      return 5;
    case Kind::kNetwork:
      return 6;
    case Kind::kIo:
    case Kind::kInternal:
      return kFailed;
  }
  return kFailed;
}

}  // namespace tandem::cli
