// Which instruction set this CPU (and oneDNN on it) uses.
#pragma once

#include <string>

#include "engine/cpu/kernels.h"

namespace tandem {

// oneDNN's name for what it uses, e.g. "avx512_core_amx".
std::string cpu_instruction_set();

// The best kernels this CPU runs. Throws kUnsupported below AVX2 with FMA.
const Kernels& best_kernels();

}  // namespace tandem
