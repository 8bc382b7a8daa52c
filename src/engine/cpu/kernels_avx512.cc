#include "engine/cpu/attention-inl.h"
#include "engine/cpu/vec_avx512.h"

namespace tandem {

const Kernels& avx512_kernels() {
  static constexpr Kernels kTable = make_kernels<Avx512>("avx512");
  return kTable;
}

}  // namespace tandem
