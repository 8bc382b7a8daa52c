#include "preprocess/resize_vnni.h"

#include <algorithm>
#include <cstring>
#include <immintrin.h>

#include "preprocess/resize_kernels.h"

namespace tandem {
namespace {

constexpr int kGroup = 16;  // taps that one vector holds, four bytes each
constexpr int kDigits = 3;  // signed bytes of a weight
constexpr int kGroupBytes = kDigits * 64;
static_assert(kRowsAtOnce == 4, "transposed_sum() adds four rows up");

int groups_of(int taps) { return (taps + kGroup - 1) / kGroup; }

// Where the bytes of a vector come from: (4 taps of channel 0, 4 taps of channel 1, …){4} out of
// packed pixels.
void fill_order(int channels, std::uint8_t* order) {
  for (int i = 0; i < 64; ++i) {
    const int tap = i / 16 * 4 + i % 4, channel = std::min(i / 4 % 4, channels - 1);
    order[i] = static_cast<std::uint8_t>(tap * channels + channel);
  }
}

// Functions are compiled for the target one by one: flags for the whole file would also reach
// inline functions that other files share.

// One vector a digit of the weights.
struct Digits {
  __m512i d0, d1, d2;
};

[[gnu::target("avx512f,avx512bw,avx512vbmi,avx512vnni"), gnu::always_inline]] inline void
add_products(Digits& sums, const std::uint8_t* from, __m512i order, const Digits& weights) {
  const __m512i pixels = _mm512_permutexvar_epi8(order, _mm512_loadu_si512(from));
  sums.d0 = _mm512_dpbusd_epi32(sums.d0, pixels, weights.d0);
  sums.d1 = _mm512_dpbusd_epi32(sums.d1, pixels, weights.d1);
  sums.d2 = _mm512_dpbusd_epi32(sums.d2, pixels, weights.d2);
}

// d0 + 256 d1 + 65536 d2
[[gnu::target("avx512f,avx512bw,avx512vbmi,avx512vnni"), gnu::always_inline]] inline __m512i joined(
    const Digits& d) {
  return _mm512_add_epi32(
      d.d0, _mm512_add_epi32(_mm512_slli_epi32(d.d1, 8), _mm512_slli_epi32(d.d2, 16)));
}

// Block i of the result: the sum of the four blocks of row i.
[[gnu::target("avx512f,avx512bw,avx512vbmi,avx512vnni"), gnu::always_inline]] inline __m512i
transposed_sum(__m512i row0, __m512i row1, __m512i row2, __m512i row3) {
  const __m512i a = _mm512_add_epi32(_mm512_shuffle_i32x4(row0, row1, 0x44),
                                     _mm512_shuffle_i32x4(row0, row1, 0xEE));
  const __m512i b = _mm512_add_epi32(_mm512_shuffle_i32x4(row2, row3, 0x44),
                                     _mm512_shuffle_i32x4(row2, row3, 0xEE));
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xDD));
}

// The pixels of four rows, four bytes each.
[[gnu::target("avx512f,avx512bw,avx512vbmi,avx512vnni"), gnu::always_inline]] inline __m128i packed(
    __m512i sums) {
  const __m512i half = _mm512_set1_epi32(1 << (kPrecisionBits - 1));
  const __m512i shifted = _mm512_srai_epi32(_mm512_add_epi32(sums, half), kPrecisionBits);
  return _mm512_cvtusepi32_epi8(_mm512_max_epi32(shifted, _mm512_setzero_si512()));
}

}  // namespace

std::vector<std::int8_t> vnni_weights(const Taps& taps) {
  const int groups = groups_of(taps.stride);
  std::vector<std::int8_t> out(static_cast<std::size_t>(taps.outputs()) * groups * kGroupBytes);
  std::int8_t* to = out.data();
  for (int x = 0; x < taps.outputs();
       ++x, to += static_cast<std::ptrdiff_t>(groups) * kGroupBytes) {
    for (int k = 0; k < taps.count[x]; ++k) {
      std::int32_t rest = taps.weights_of(x)[k];
      std::int8_t* at = to + k / kGroup * kGroupBytes + k % kGroup / 4 * 16 + k % 4;
      for (int digit = 0; digit < kDigits; ++digit, at += 64) {
        const auto low = static_cast<std::int8_t>(rest & 0xFF);
        for (int channel = 0; channel < 4; ++channel) at[channel * 4] = low;
        rest = (rest - low) >> 8;
      }
    }
  }
  return out;
}

[[gnu::target("avx512f,avx512bw,avx512vbmi,avx512vnni")]] void resize_rows_vnni(
    const std::uint8_t* const* from, const Taps& taps, const std::int8_t* weights, int channels,
    std::uint8_t* const* to) {
  alignas(64) std::uint8_t order_bytes[64];
  fill_order(channels, order_bytes);
  const __m512i order = _mm512_load_si512(order_bytes);
  const int outputs = taps.outputs();
  const std::ptrdiff_t next = static_cast<std::ptrdiff_t>(groups_of(taps.stride)) * kGroupBytes;
  for (int x = 0; x < outputs; ++x, weights += next) {
    std::ptrdiff_t at = static_cast<std::ptrdiff_t>(taps.first[x]) * channels;
    const std::int8_t* digits = weights;
    const __m512i zero = _mm512_setzero_si512();
    Digits row0{zero, zero, zero}, row1 = row0, row2 = row0, row3 = row0;
    for (int left = taps.count[x]; left > 0; left -= kGroup) {
      const Digits group{_mm512_loadu_si512(digits), _mm512_loadu_si512(digits + 64),
                         _mm512_loadu_si512(digits + 128)};
      add_products(row0, from[0] + at, order, group);
      add_products(row1, from[1] + at, order, group);
      add_products(row2, from[2] + at, order, group);
      add_products(row3, from[3] + at, order, group);
      digits += kGroupBytes;
      at += static_cast<std::ptrdiff_t>(kGroup) * channels;
    }
    const __m512i sums = transposed_sum(joined(row0), joined(row1), joined(row2), joined(row3));
    alignas(16) std::uint8_t out[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(out), packed(sums));
    // Four bytes are stored faster than three, but would reach into the next row at its end.
    const std::ptrdiff_t x_bytes = static_cast<std::ptrdiff_t>(x) * channels;
    for (int row = 0; row < kRowsAtOnce; ++row) {
      if (x + 1 < outputs) {
        std::memcpy(to[row] + x_bytes, out + row * 4, 4);
      } else {
        std::memcpy(to[row] + x_bytes, out + row * 4, channels);
      }
    }
  }
}

}  // namespace tandem
