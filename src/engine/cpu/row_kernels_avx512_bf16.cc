#include "engine/cpu/row_kernels-inl.h"
#include "engine/cpu/vec_avx512_bf16.h"

namespace tandem {
namespace {

struct Pairs {
  // Even lanes subtract, odd ones add.
  static __m512 rotate(__m512 x, __m512 cos, __m512 sin) {
    return _mm512_fmaddsub_ps(x, cos, _mm512_mul_ps(_mm512_permute_ps(x, 0xB1), sin));
  }
};

}  // namespace

const RowKernels& avx512_bf16_row_kernels() {
  static constexpr RowKernels kTable = make_row_kernels<Avx512Bf16, Pairs>();
  return kTable;
}

}  // namespace tandem
