// Rows of activations to 8-bit integers, over a vector type S (vec_*.h). Included only by the
// kernels_*.cc files.
#pragma once

#include "engine/cpu/kernels-inl.h"

namespace tandem {

template <typename S, typename T>
float quantise_row_of(const T* x, int width, int padded, std::int8_t* out) {
  const int whole = width / S::kLanes * S::kLanes;
  // Four maxima side by side: one would wait for itself at every step.
  constexpr int kStep = 4 * S::kLanes;
  auto largest = S::zero();
  auto second = S::zero();
  auto third = S::zero();
  auto fourth = S::zero();
  int i = 0;
  for (; i + kStep <= whole; i += kStep) {
    largest = S::peak(largest, S::magnitude(S::load(x + i)));
    second = S::peak(second, S::magnitude(S::load(x + i + S::kLanes)));
    third = S::peak(third, S::magnitude(S::load(x + i + 2 * S::kLanes)));
    fourth = S::peak(fourth, S::magnitude(S::load(x + i + 3 * S::kLanes)));
  }
  for (; i < whole; i += S::kLanes) largest = S::peak(largest, S::magnitude(S::load(x + i)));
  T tail[S::kLanes] = {};
  if (whole < width) std::memcpy(tail, x + whole, (width - whole) * sizeof(T));
  largest = S::peak(largest, S::magnitude(S::load(tail)));
  const float peak = S::largest_peak(S::peak(S::peak(largest, second), S::peak(third, fourth)));
  // 1e-30: a row of (almost) zeros becomes zeros; 127 / peak would not be finite.
  const auto inverse = S::all(peak > 1e-30F ? 127.0F / peak : 0.0F);
  for (i = 0; i < whole; i += S::kLanes) S::store_whole(out + i, S::mul(S::load(x + i), inverse));
  if (whole < width) {
    std::int8_t last[S::kLanes];
    S::store_whole(last, S::mul(S::load(tail), inverse));
    std::memcpy(out + whole, last, width - whole);
  }
  if (padded > width) std::memset(out + width, 0, padded - width);
  return peak / 127.0F;
}

// out = x / scale rounded to whole numbers, scale = max |x| / 127, which is returned; zeros from
// `width` to `padded`. A NaN in the row makes the scale NaN, and so whatever is computed from it.
template <typename S>
float quantise_row(const void* x, Element type, int width, int padded, std::int8_t* out) {
  if (type == Element::kF32)
    return quantise_row_of<S>(static_cast<const float*>(x), width, padded, out);
  return quantise_row_of<S>(static_cast<const Bf16*>(x), width, padded, out);
}

}  // namespace tandem
