#include "engine/torch/ragged_attention.h"

#include <vector>

namespace tandem {
namespace {

// Whether `rows` are exactly the segments, all of one length.
bool is_uniform(const Segments& s, std::int64_t rows) {
  return rows == s.rows() && s.rows() == s.count() * s.max_length;
}

// Padding as index lists: `pad` lists, for each of the B*L padded rows, the ragged row it copies
// (its segment's last one where it is padding); `unpad` lists the padded row of each ragged row,
// any for a row that is in no segment.
struct Padding {
  at::Tensor pad;
  at::Tensor unpad;
  at::Tensor valid;  // (B,1,1,L) bool
};

Padding padding_of(const Segments& s, std::int64_t rows) {
  const std::int64_t length = s.max_length;
  Padding p;
  p.pad = at::empty({s.count() * length}, at::kInt);
  p.unpad = at::zeros({rows}, at::kInt);
  p.valid = at::empty({s.count(), 1, 1, length}, at::kBool);
  auto* pad = p.pad.data_ptr<std::int32_t>();
  auto* unpad = p.unpad.data_ptr<std::int32_t>();
  auto* valid = p.valid.data_ptr<bool>();
  for (int i = 0; i < s.count(); ++i) {
    const int length_here = s.offsets[i + 1] - s.offsets[i];
    for (int t = 0; t < length; ++t) {
      pad[i * length + t] = s.offsets[i] + std::min(t, length_here - 1);
      valid[i * length + t] = t < length_here;
      if (t < length_here) unpad[s.offsets[i] + t] = static_cast<std::int32_t>(i * length + t);
    }
  }
  return p;
}

// (B*L,D) -> (B,heads,L,D/heads)
at::Tensor split_heads(const at::Tensor& x, std::int64_t batch, int heads) {
  return x.view({batch, -1, heads, x.size(1) / heads}).transpose(1, 2);
}

}  // namespace

at::Tensor ragged_self_attention(const at::Tensor& qkv, const Segments& segments, int heads,
                                 Mask mask) {
  const bool uniform = is_uniform(segments, qkv.size(0));
  const Padding padding = uniform ? Padding{} : padding_of(segments, qkv.size(0));
  const at::Tensor rows = uniform ? qkv : qkv.index_select(0, padding.pad.to(qkv.device()));
  const std::int64_t width = qkv.size(1) / 3;
  const auto part = [&](int i) {
    return rows.narrow(1, i * width, width)
        .view({segments.count(), segments.max_length, heads, width / heads})
        .transpose(1, 2);
  };
  // Under the causal mask no row sees the padding behind it; without, it must be masked.
  std::optional<at::Tensor> valid;
  if (!uniform && mask == Mask::kNone) valid = padding.valid.to(qkv.device());
  const at::Tensor y = at::scaled_dot_product_attention(part(0), part(1), part(2), valid, 0.0,
                                                        mask == Mask::kCausal);
  const at::Tensor merged = y.transpose(1, 2).reshape({-1, width});
  return uniform ? merged : merged.index_select(0, padding.unpad.to(qkv.device()));
}

at::Tensor ragged_pool_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 const Segments& segments, int heads) {
  const std::int64_t batch = segments.count();
  const at::Tensor query = split_heads(q, batch, heads);
  if (is_uniform(segments, k.size(0))) {
    const at::Tensor y = at::scaled_dot_product_attention(query, split_heads(k, batch, heads),
                                                          split_heads(v, batch, heads));
    return y.transpose(1, 2).reshape({batch, q.size(1)});
  }
  const Padding padding = padding_of(segments, k.size(0));
  const at::Tensor pad = padding.pad.to(q.device());
  const at::Tensor y = at::scaled_dot_product_attention(
      query, split_heads(k.index_select(0, pad), batch, heads),
      split_heads(v.index_select(0, pad), batch, heads), padding.valid.to(q.device()));
  return y.transpose(1, 2).reshape({batch, q.size(1)});
}

}  // namespace tandem
