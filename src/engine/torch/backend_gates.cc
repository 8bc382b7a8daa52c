// The torch backend's gated activations and rotary positions.
#include <vector>

#include "engine/torch/backend.h"

namespace tandem {
namespace {

at::Tensor activated(const at::Tensor& gate, Activation activation) {
  if (activation == Activation::kSilu) return at::silu(gate);
  return at::gelu(gate, activation == Activation::kGeluTanh ? "tanh" : "none");
}

// (…,head): pairs (a,b) -> (-b,a).
at::Tensor turned(const at::Tensor& x) {
  const at::Tensor pairs = x.unflatten(-1, {x.size(-1) / 2, 2});
  return at::stack({-pairs.select(-1, 1), pairs.select(-1, 0)}, -1).flatten(-2);
}

}  // namespace

at::Tensor TorchBackend::gated(const Tensor& x, Activation activation) {
  const std::vector<at::Tensor> halves = x.chunk(2, -1);
  return activated(halves[0], activation) * halves[1];
}

at::Tensor TorchBackend::rotary(Tensor&& qkv, const Table& angles, const Segments& segments,
                                int heads, int skip) {
  const std::int64_t head = qkv.size(1) / 3 / heads;
  // Row p turns rows skip+p; one row more, by no angle, for those that stay.
  const at::Tensor still = at::cat({angles.new_ones({1, head}), angles.new_zeros({1, head})}, 1);
  const at::Tensor table = at::cat({angles, still}, 0);
  std::vector<std::int32_t> places(qkv.size(0), static_cast<std::int32_t>(angles.size(0)));
  for (int s = 0; s < segments.count(); ++s) {
    const int first = segments.offsets[s] + skip;
    for (int r = first; r < segments.offsets[s + 1]; ++r) places[r] = r - first;
  }
  const at::Tensor rows = table.index_select(0, indices(places)).unsqueeze(1);  // (T,1,2*head)
  const at::Tensor x =
      qkv.narrow(1, 0, 2 * heads * head).view({-1, 2 * heads, head}).to(at::kFloat);
  const at::Tensor y = x * rows.narrow(2, 0, head) + turned(x) * rows.narrow(2, head, head);
  return at::cat(
      {y.flatten(1).to(qkv.scalar_type()), qkv.narrow(1, 2 * heads * head, heads * head)}, 1);
}

at::Tensor TorchBackend::add(Tensor&& residual, const Tensor& x) { return residual + x; }

}  // namespace tandem
