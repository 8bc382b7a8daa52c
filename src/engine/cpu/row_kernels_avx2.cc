#include "engine/cpu/row_kernels-inl.h"
#include "engine/cpu/vec_avx2.h"

namespace tandem {
namespace {

struct Pairs {
  // Even lanes subtract, odd ones add.
  static __m256 rotate(__m256 x, __m256 cos, __m256 sin) {
    return _mm256_fmaddsub_ps(x, cos, _mm256_mul_ps(_mm256_permute_ps(x, 0xB1), sin));
  }
};

}  // namespace

const RowKernels& avx2_row_kernels() {
  static constexpr RowKernels kTable = make_row_kernels<Avx2, Pairs>();
  return kTable;
}

}  // namespace tandem
