// Handing over to tandem-torch, the sister program that holds libtorch.
#pragma once

#include <string>

#include "cli/command.h"

namespace tandem::cli {

// Replaces this process by tandem-torch from beside it, with the same command line. `wanted` says
// what for, e.g. "train". Throws kNotFound when it is not there, kIo when it cannot be run.
[[noreturn]] void become_torch_program(const Context& context, const std::string& wanted);

}  // namespace tandem::cli
