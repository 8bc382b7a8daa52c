#include "train/contrastive_loss.h"

#include <limits>

namespace tandem {
namespace {

at::Tensor unit_rows(const at::Tensor& x) {
  const at::Tensor y = x.to(at::kFloat);
  return y / y.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12);  // 1e-12: F.normalize's eps
}

// (B,B) bool: equal groups, the diagonal included.
at::Tensor same_group(std::span<const std::int64_t> groups, at::Device device) {
  const auto n = static_cast<std::int64_t>(groups.size());
  at::Tensor same = at::empty({n, n}, at::kBool);
  bool* out = same.data_ptr<bool>();
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      out[i * n + j] = i == j || (groups[i] >= 0 && groups[i] == groups[j]);
    }
  }
  return same.to(device);
}

}  // namespace

at::Tensor contrastive_loss(const at::Tensor& images, const at::Tensor& texts,
                            const at::Tensor& logit_scale, std::span<const std::int64_t> groups,
                            EqualGroups equal_groups) {
  at::Tensor logits = at::matmul(unit_rows(images), unit_rows(texts).t()) * logit_scale.exp();
  if (equal_groups == EqualGroups::kPositives) {
    const at::Tensor same = same_group(groups, logits.device()).to(at::kFloat);
    const at::Tensor target = same / same.sum(1, true);
    const at::Tensor both = at::log_softmax(logits, 1) + at::log_softmax(logits.t(), 1);
    return -(target * both).sum() / (2.0 * static_cast<double>(groups.size()));
  }
  if (equal_groups == EqualGroups::kMasked) {
    at::Tensor hidden = same_group(groups, logits.device());
    hidden.fill_diagonal_(false);
    logits = logits.masked_fill(hidden, -std::numeric_limits<float>::infinity());
  }
  const at::Tensor target = at::arange(logits.size(0), at::kLong).to(logits.device());
  return (at::cross_entropy_loss(logits, target) + at::cross_entropy_loss(logits.t(), target)) / 2;
}

}  // namespace tandem
