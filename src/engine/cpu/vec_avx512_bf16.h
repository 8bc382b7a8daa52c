// Avx512 with the processor's own rounding to bf16. Only for files compiled with -mavx512bf16 as
// well; see kernels.h.
#pragma once

#include "engine/cpu/vec_avx512.h"

namespace tandem {

struct Avx512Bf16 : Avx512 {
  using Avx512::store;
  static void store(std::uint16_t* p, F x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), (__m256i)_mm512_cvtneps_pbh(x));
  }
};

}  // namespace tandem
