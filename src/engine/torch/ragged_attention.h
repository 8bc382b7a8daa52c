// Attention inside the segments of ragged rows. Rows after the last segment are nobody's: they get
// some value, and no gradient if nothing reads it.
#pragma once

#include <ATen/ATen.h>

#include "model/backend.h"

namespace tandem {

// qkv: (T,3D) as [q|k|v], each split into heads; every row attends to the rows of its segment (up
// to itself under Mask::kCausal). Returns (T,D) in qkv's type. Softmax scale 1/sqrt(D/heads).
at::Tensor ragged_self_attention(const at::Tensor& qkv, const Segments& segments, int heads,
                                 Mask mask);

// One query a segment: q (B,D); k, v (T,D). Returns (B,D).
at::Tensor ragged_pool_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 const Segments& segments, int heads);

}  // namespace tandem
