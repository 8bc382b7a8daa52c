// Helpers around the one exception (tandem/error.h): where errno becomes an Error.
#pragma once

#include <string>

#include "tandem/error.h"

namespace tandem {

// Throws Error(kIo or kNotFound) from errno for an operation on `path`, e.g. "cannot open x.npy: No
// such file …".
[[noreturn]] void throw_errno(const std::string& what, const std::string& path);

}  // namespace tandem
