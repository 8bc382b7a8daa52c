#include "engine/cpu/attention-inl.h"
#include "engine/cpu/vec_avx512_bf16.h"

namespace tandem {

const Kernels& avx512_bf16_kernels() {
  static constexpr Kernels kTable = make_kernels<Avx512Bf16>("avx512_bf16");
  return kTable;
}

}  // namespace tandem
