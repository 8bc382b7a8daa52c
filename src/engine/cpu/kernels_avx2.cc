#include "engine/cpu/attention-inl.h"
#include "engine/cpu/vec_avx2.h"

namespace tandem {

const Kernels& avx2_kernels() {
  static constexpr Kernels kTable = make_kernels<Avx2>("avx2");
  return kTable;
}

}  // namespace tandem
