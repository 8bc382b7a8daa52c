// Kernels of the CPU engine that only some families need: gated activations and rotary positions.
// One table for each instruction set, like kernels.h. Plain pointers and single-threaded.
#pragma once

#include <cstddef>

#include "engine/cpu/kernels.h"

namespace tandem {

struct RowKernels {
  enum class Gate { kSilu, kGelu, kGeluTanh };

  // One row: out[i] = act(x[i]) * x[width + i]. x and out of one type.
  void (*gated)(const void* x, void* out, Element type, Gate gate, int width);
  // One head of one row, in place: pairs (a,b) become (a cos - b sin, b cos + a sin). cos and sin
  // hold each value for both of its pair. Requires: head even.
  void (*rotate)(void* x, Element type, const float* cos, const float* sin, int head);
};

const RowKernels& avx2_row_kernels();
const RowKernels& avx512_row_kernels();
const RowKernels& avx512_bf16_row_kernels();
// For the processor that best_kernels() is for.
const RowKernels& best_row_kernels();

}  // namespace tandem
