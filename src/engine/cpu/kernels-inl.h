// Kernels over a vector type S (vec_*.h). Included only by the kernels_*.cc files, each compiled
// for its instruction set.
#pragma once

#include <cstring>

#include "engine/cpu/kernels.h"

namespace tandem {

// Calls body(i) for whole vectors, then once on a zero-padded copy of the rest through `tail`.
// x and out may be the same address. body: F -> F.
template <typename S, typename In, typename Out, typename Body>
void map_vectors(const In* x, Out* out, std::size_t count, Body body) {
  std::size_t i = 0;
  for (; i + S::kLanes <= count; i += S::kLanes) S::store(out + i, body(S::load(x + i)));
  if (i == count) return;
  In in_tail[S::kLanes] = {};
  Out out_tail[S::kLanes];
  std::memcpy(in_tail, x + i, (count - i) * sizeof(In));
  S::store(out_tail, body(S::load(in_tail)));
  std::memcpy(out + i, out_tail, (count - i) * sizeof(Out));
}

template <typename S>
typename S::F load_part(const float* x, int count) {
  if (count >= S::kLanes) return S::load(x);
  float tail[S::kLanes] = {};
  std::memcpy(tail, x, count * sizeof(float));
  return S::load(tail);
}

template <typename S, typename Out>
void store_part(Out* out, typename S::F x, int count) {
  if (count >= S::kLanes) return S::store(out, x);
  Out tail[S::kLanes];
  S::store(tail, x);
  std::memcpy(out, tail, count * sizeof(Out));
}

// e^x for x <= about 88, relative error below 2e-7; e^-87, the last before denormal numbers, for
// anything less. Taylor of 2^f, |f| <= 1/2, to degree 6.
template <typename S>
typename S::F exp(typename S::F x) {
  const auto c = S::max(x, S::all(-87.0F));
  const auto n = S::round(S::mul(c, S::all(1.44269504F)));
  // The argument again in two parts, so that the product's rounding does not show: ln2 =
  // 0.693359375 - 2.12194440e-4.
  auto r = S::fma(n, S::all(-0.693359375F), c);
  r = S::fma(n, S::all(2.12194440e-4F), r);
  auto p = S::all(1.0F / 720);
  p = S::fma(p, r, S::all(1.0F / 120));
  p = S::fma(p, r, S::all(1.0F / 24));
  p = S::fma(p, r, S::all(1.0F / 6));
  p = S::fma(p, r, S::all(0.5F));
  p = S::fma(p, r, S::all(1.0F));
  p = S::fma(p, r, S::all(1.0F));
  return S::scale(p, n);
}

// erf(x / sqrt 2) = x P(x^2) on |x| <= 4.2: a least-maximum fit that is 1 at 4.2.
constexpr float kGelu[8] = {7.969319261057266e-1F,  -1.310567131087006e-1F, 1.859663030076385e-2F,
                            -1.901358990030186e-3F, 1.3378730382146951e-4F, -6.076293760378165e-6F,
                            1.588428661548612e-7F,  -1.803747468172025e-9F};

// tanh(sqrt(2/pi) (x + 0.044715 x^3)), the same way.
constexpr float kGeluTanh[8] = {7.967919144805542e-1F,  -1.3142497336831244e-1F,
                                1.8860842034684716e-2F, -1.965145903420737e-3F,
                                1.4141114840848887e-4F, -6.568270754621516e-6F,
                                1.752997732810679e-7F,  -2.027972370334421e-9F};

// 0.5 x (1 + x P(x^2)).
template <typename S>
typename S::F half_gate(typename S::F x, const float (&coefficients)[8]) {
  const auto c = S::min(S::max(x, S::all(-4.2F)), S::all(4.2F));
  const auto t = S::mul(c, c);
  auto p = S::all(coefficients[7]);
  for (int i = 6; i >= 0; --i) p = S::fma(p, t, S::all(coefficients[i]));
  const auto half = S::mul(x, S::all(0.5F));
  return S::fma(half, S::mul(c, p), half);
}

// 0.5 x (1 + erf(x / sqrt 2)), absolute error below 8e-5 on [-4.2,4.2] and 3e-6 |x| beyond: below
// bf16's own rounding of the values that matter beside it.
template <typename S>
typename S::F gelu(typename S::F x) {
  return half_gate<S>(x, kGelu);
}

// Its approximation by tanh (PyTorch's approximate="tanh"): absolute error below 1e-4 on [-4.2,4.2]
// and 7e-6 |x| beyond.
template <typename S>
typename S::F gelu_tanh(typename S::F x) {
  return half_gate<S>(x, kGeluTanh);
}

// x * sigmoid(slope x).
template <typename S>
typename S::F sigmoid_gate(typename S::F x, float slope) {
  return S::div(x, S::add(S::all(1.0F), exp<S>(S::min(S::mul(x, S::all(-slope)), S::all(80.0F)))));
}

template <typename S>
typename S::F quick_gelu(typename S::F x) {
  return sigmoid_gate<S>(x, 1.702F);
}

template <typename S, typename Out>
void layer_norm_row(const float* x, int width, const float* gain, const float* bias, float eps,
                    Out* out) {
  using F = typename S::F;
  const int whole = width / S::kLanes * S::kLanes;
  F sum0 = S::zero();
  F sum1 = S::zero();
  int i = 0;
  for (; i + 2 * S::kLanes <= whole; i += 2 * S::kLanes) {
    sum0 = S::add(sum0, S::load(x + i));
    sum1 = S::add(sum1, S::load(x + i + S::kLanes));
  }
  for (; i < width; i += S::kLanes) sum0 = S::add(sum0, load_part<S>(x + i, width - i));
  const float mean = S::sum(S::add(sum0, sum1)) / static_cast<float>(width);
  // Second pass over the row, now in the nearest cache: squares of small differences do not cancel.
  const F m = S::all(mean);
  F sq0 = S::zero();
  F sq1 = S::zero();
  for (i = 0; i + 2 * S::kLanes <= whole; i += 2 * S::kLanes) {
    const F a = S::sub(S::load(x + i), m);
    const F b = S::sub(S::load(x + i + S::kLanes), m);
    sq0 = S::fma(a, a, sq0);
    sq1 = S::fma(b, b, sq1);
  }
  for (; i < whole; i += S::kLanes) {
    const F a = S::sub(S::load(x + i), m);
    sq0 = S::fma(a, a, sq0);
  }
  float squares = S::sum(S::add(sq0, sq1));
  for (; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const float inverse = 1.0F / __builtin_sqrtf(squares / static_cast<float>(width) + eps);
  const F scale = S::all(inverse);
  for (i = 0; i < whole; i += S::kLanes) {
    const F y = S::mul(S::sub(S::load(x + i), m), scale);
    S::store(out + i, S::fma(y, S::load(gain + i), S::load(bias + i)));
  }
  if (i < width) {
    const F y = S::mul(S::sub(load_part<S>(x + i, width - i), m), scale);
    store_part<S>(out + i,
                  S::fma(y, load_part<S>(gain + i, width - i), load_part<S>(bias + i, width - i)),
                  width - i);
  }
}

template <typename S>
void layer_norm(const float* x, int rows, int width, const float* gain, const float* bias,
                float eps, void* out, Element type) {
  for (int r = 0; r < rows; ++r) {
    const std::size_t at = static_cast<std::size_t>(r) * width;
    if (type == Element::kF32) {
      layer_norm_row<S>(x + at, width, gain, bias, eps, static_cast<float*>(out) + at);
    } else {
      layer_norm_row<S>(x + at, width, gain, bias, eps, static_cast<Bf16*>(out) + at);
    }
  }
}

template <typename S>
void gelu_bf16(Bf16* x, std::size_t count) {
  map_vectors<S>(x, x, count, [](typename S::F v) { return gelu<S>(v); });
}

template <typename S>
void gelu_tanh_bf16(Bf16* x, std::size_t count) {
  map_vectors<S>(x, x, count, [](typename S::F v) { return gelu_tanh<S>(v); });
}

template <typename S>
void silu_bf16(Bf16* x, std::size_t count) {
  map_vectors<S>(x, x, count, [](typename S::F v) { return sigmoid_gate<S>(v, 1.0F); });
}

template <typename S>
void relu_bf16(Bf16* x, std::size_t count) {
  map_vectors<S>(x, x, count, [](typename S::F v) { return S::max(v, S::zero()); });
}

template <typename S>
void quick_gelu_bf16(Bf16* x, std::size_t count) {
  map_vectors<S>(x, x, count, [](typename S::F v) { return quick_gelu<S>(v); });
}

template <typename S>
void to_bf16(const float* x, Bf16* out, std::size_t count) {
  map_vectors<S>(x, out, count, [](typename S::F v) { return v; });
}

template <typename S>
void to_f32(const Bf16* x, float* out, std::size_t count) {
  map_vectors<S>(x, out, count, [](typename S::F v) { return v; });
}

template <typename S>
void add(const float* a, const float* b, float* out, std::size_t count) {
  std::size_t i = 0;
  for (; i + S::kLanes <= count; i += S::kLanes)
    S::store(out + i, S::add(S::load(a + i), S::load(b + i)));
  for (; i < count; ++i) out[i] = a[i] + b[i];
}

template <typename S, typename In>
void accumulate_from(const In* x, float* sum, std::size_t count) {
  std::size_t i = 0;
  for (; i + S::kLanes <= count; i += S::kLanes)
    S::store(sum + i, S::add(S::load(sum + i), S::load(x + i)));
  if (i == count) return;
  In tail[S::kLanes] = {};
  float values[S::kLanes];
  std::memcpy(tail, x + i, (count - i) * sizeof(In));
  S::store(values, S::load(tail));
  for (std::size_t j = i; j < count; ++j) sum[j] += values[j - i];
}

template <typename S>
void accumulate(const void* x, Element type, float* sum, std::size_t count) {
  if (type == Element::kF32) return accumulate_from<S>(static_cast<const float*>(x), sum, count);
  accumulate_from<S>(static_cast<const Bf16*>(x), sum, count);
}

template <typename S>
void center_pixels(const std::uint8_t* pixels, void* out, Element type, std::size_t count) {
  const auto center = [](typename S::F v) { return S::sub(v, S::all(128.0F)); };
  if (type == Element::kF32) return map_vectors<S>(pixels, static_cast<float*>(out), count, center);
  map_vectors<S>(pixels, static_cast<Bf16*>(out), count, center);
}

template <typename S, typename T>
void avg_pool_row_of(const T* x, T* out, int width_in, int channels, int k) {
  const auto scale = S::all(1.0F / static_cast<float>(k * k));
  const int width_out = width_in / k;
  for (int ox = 0; ox < width_out; ++ox) {
    for (int c = 0; c < channels; c += S::kLanes) {
      const int n = channels - c;
      auto sum = S::zero();
      for (int ky = 0; ky < k; ++ky) {
        for (int kx = 0; kx < k; ++kx) {
          const T* at = x + (static_cast<std::size_t>(ky) * width_in + ox * k + kx) * channels + c;
          T tail[S::kLanes] = {};
          if (n < S::kLanes) std::memcpy(tail, at, n * sizeof(T));
          sum = S::add(sum, S::load(n < S::kLanes ? tail : at));
        }
      }
      store_part<S>(out + static_cast<std::size_t>(ox) * channels + c, S::mul(sum, scale), n);
    }
  }
}

template <typename S>
void avg_pool_row(const void* x, void* out, Element type, int width_in, int channels, int k) {
  if (type == Element::kF32) {
    return avg_pool_row_of<S>(static_cast<const float*>(x), static_cast<float*>(out), width_in,
                              channels, k);
  }
  avg_pool_row_of<S>(static_cast<const Bf16*>(x), static_cast<Bf16*>(out), width_in, channels, k);
}

template <typename S>
void unit_row(float* x, std::size_t count) {
  double squares = 0;  // double: a float sum of squares could overflow
  for (std::size_t i = 0; i < count; ++i) squares += static_cast<double>(x[i]) * x[i];
  if (squares == 0) return;
  const float inverse = static_cast<float>(1.0 / __builtin_sqrt(squares));
  for (std::size_t i = 0; i < count; ++i) x[i] *= inverse;
}

}  // namespace tandem
