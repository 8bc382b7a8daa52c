#include "engine/cpu/attention-inl.h"
#include "engine/cpu/quantize-inl.h"
#include "engine/cpu/vec_avx512.h"

namespace tandem {
namespace {

constexpr Kernels make_all() {
  Kernels k = make_kernels<Avx512>("avx512");
  k.quantise_row = quantise_row<Avx512>;
  return k;
}

}  // namespace

const Kernels& avx512_kernels() {
  static constexpr Kernels kTable = make_all();
  return kTable;
}

}  // namespace tandem
