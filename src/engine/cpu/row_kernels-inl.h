// Row kernels over a vector type S (vec_*.h) and P, which turns pairs. Included only by the
// row_kernels_*.cc files, each compiled for its instruction set.
#pragma once

#include <algorithm>
#include <cstring>

#include "engine/cpu/kernels-inl.h"
#include "engine/cpu/row_kernels.h"

namespace tandem {

template <typename S, typename T, typename Body>
void gated_row(const T* x, T* out, int width, Body act) {
  int i = 0;
  for (; i + S::kLanes <= width; i += S::kLanes)
    S::store(out + i, S::mul(act(S::load(x + i)), S::load(x + width + i)));
  if (i == width) return;
  T gate[S::kLanes] = {};
  T value[S::kLanes] = {};
  T tail[S::kLanes];
  std::memcpy(gate, x + i, (width - i) * sizeof(T));
  std::memcpy(value, x + width + i, (width - i) * sizeof(T));
  S::store(tail, S::mul(act(S::load(gate)), S::load(value)));
  std::memcpy(out + i, tail, (width - i) * sizeof(T));
}

template <typename S>
typename S::F gate_silu(typename S::F x) {
  const auto e = exp<S>(S::min(S::sub(S::zero(), x), S::all(80.0F)));
  return S::div(x, S::add(S::all(1.0F), e));
}

// x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3): the tanh form of GELU.
template <typename S>
typename S::F gate_gelu_tanh(typename S::F x) {
  const auto cube = S::mul(S::mul(x, x), x);
  const auto u = S::mul(S::fma(cube, S::all(0.044715F), x), S::all(-1.5957691216F));
  return S::div(x, S::add(S::all(1.0F), exp<S>(S::min(u, S::all(80.0F)))));
}

template <typename S, typename T>
void gated_of(const T* x, T* out, RowKernels::Gate gate, int width) {
  using Gate = RowKernels::Gate;
  switch (gate) {
    case Gate::kSilu:
      return gated_row<S>(x, out, width, gate_silu<S>);
    case Gate::kGelu:
      // The erf of kernels-inl.h is good to bf16 only.
      return gated_row<S>(x, out, width, [](typename S::F v) {
        if (sizeof(T) == sizeof(Bf16)) return gelu<S>(v);
        float values[S::kLanes];
        S::store(values, v);
        for (float& f : values) f = 0.5F * f * (1.0F + __builtin_erff(f * 0.70710678F));
        return S::load(values);
      });
    case Gate::kGeluTanh:
      return gated_row<S>(x, out, width, gate_gelu_tanh<S>);
  }
}

template <typename S>
void gated(const void* x, void* out, Element type, RowKernels::Gate gate, int width) {
  if (type == Element::kF32) {
    return gated_of<S>(static_cast<const float*>(x), static_cast<float*>(out), gate, width);
  }
  gated_of<S>(static_cast<const Bf16*>(x), static_cast<Bf16*>(out), gate, width);
}

template <typename S, typename P, typename T>
void rotate_of(T* x, const float* cos, const float* sin, int head) {
  int i = 0;
  for (; i + S::kLanes <= head; i += S::kLanes)
    S::store(x + i, P::rotate(S::load(x + i), S::load(cos + i), S::load(sin + i)));
  if (i == head) return;
  T values[S::kLanes] = {};
  T tail[S::kLanes];
  std::memcpy(values, x + i, (head - i) * sizeof(T));
  S::store(tail, P::rotate(S::load(values), load_part<S>(cos + i, head - i),
                           load_part<S>(sin + i, head - i)));
  std::memcpy(x + i, tail, (head - i) * sizeof(T));
}

template <typename S, typename P>
void rotate(void* x, Element type, const float* cos, const float* sin, int head) {
  if (type == Element::kF32) return rotate_of<S, P>(static_cast<float*>(x), cos, sin, head);
  rotate_of<S, P>(static_cast<Bf16*>(x), cos, sin, head);
}

template <typename S, typename P>
constexpr RowKernels make_row_kernels() {
  RowKernels k{};
  k.gated = gated<S>;
  k.rotate = rotate<S, P>;
  return k;
}

}  // namespace tandem
