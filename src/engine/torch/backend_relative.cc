// What T5 and ragged bidirectional towers need: attention with a bias by distance, means of ragged
// segments. (RMS norm is layer_norm's.)
#include <algorithm>
#include <limits>
#include <vector>

#include "engine/torch/backend.h"

namespace tandem {

at::Tensor TorchBackend::biased_attention(const Tensor& qkv, const Segments& segments, int heads,
                                          float scale, const Table& bias,
                                          std::span<const std::int32_t> buckets) {
  const std::int64_t batch = segments.count();
  const std::int64_t length = segments.max_length;
  const std::int64_t width = qkv.size(1) / 3;
  std::vector<std::int32_t> pad;  // for each padded row the ragged row it copies
  std::vector<std::int32_t> unpad(qkv.size(0));
  at::Tensor hidden = at::zeros({batch, 1, 1, length}, at::kFloat);
  for (std::int64_t i = 0; i < batch; ++i) {
    const std::int64_t own = segments.offsets[i + 1] - segments.offsets[i];
    for (std::int64_t t = 0; t < length; ++t) {
      pad.push_back(static_cast<std::int32_t>(segments.offsets[i] + std::min(t, own - 1)));
      if (t < own) unpad[segments.offsets[i] + t] = static_cast<std::int32_t>(i * length + t);
    }
    hidden[i].narrow(2, own, length - own).fill_(-std::numeric_limits<float>::infinity());
  }
  const at::Tensor rows = qkv.index_select(0, indices(pad)).to(at::kFloat);
  const auto part = [&](int i) {
    return rows.narrow(1, i * width, width)
        .view({batch, length, heads, width / heads})
        .transpose(1, 2);
  };
  std::vector<std::int32_t> table;  // (L,L): the bucket of each query and key
  const std::int32_t* middle = buckets.data() + buckets.size() / 2;
  for (std::int64_t q = 0; q < length; ++q) {
    for (std::int64_t k = 0; k < length; ++k) table.push_back(middle[k - q]);
  }
  const at::Tensor added =
      bias.index_select(0, indices(table)).view({length, length, heads}).permute({2, 0, 1});
  const at::Tensor scores =
      at::matmul(part(0), part(1).transpose(2, 3)) * scale + added + hidden.to(qkv.device());
  const at::Tensor y = at::matmul(at::softmax(scores, -1), part(2));
  return y.transpose(1, 2).reshape({-1, width}).index_select(0, indices(unpad));
}

at::Tensor TorchBackend::mean_rows(const Tensor& x, const Segments& segments) {
  const std::int64_t rows = segments.rows();
  if (x.size(0) == rows &&
      rows == static_cast<std::int64_t>(segments.count()) * segments.max_length)
    return x.view({segments.count(), segments.max_length, x.size(1)}).mean(1);
  std::vector<std::int32_t> owner(rows);
  at::Tensor lengths = at::empty({segments.count(), 1}, at::kFloat);
  for (int i = 0; i < segments.count(); ++i) {
    std::fill(owner.begin() + segments.offsets[i], owner.begin() + segments.offsets[i + 1], i);
    lengths[i].fill_(segments.offsets[i + 1] - segments.offsets[i]);
  }
  const at::Tensor sums = at::zeros({segments.count(), x.size(1)}, x.options().dtype(at::kFloat));
  return sums.index_add(0, indices(owner), x.narrow(0, 0, rows).to(at::kFloat)) /
         lengths.to(x.device());
}

}  // namespace tandem
