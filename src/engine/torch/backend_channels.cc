// The torch backend's maps as rows and back, and what works on whole channels of them.
#include "engine/torch/backend.h"

namespace tandem {

at::Tensor TorchBackend::to_rows(Map&& x) {
  return x.permute({0, 2, 3, 1}).reshape({-1, x.size(1)});
}

at::Tensor TorchBackend::to_map(const Tensor& x, int height, int width) {
  return x.view({-1, height, width, x.size(1)}).permute({0, 3, 1, 2}).to(options_.compute);
}

at::Tensor TorchBackend::mean_pixel(const Map& x) { return x.to(at::kFloat).mean({2, 3}); }

at::Tensor TorchBackend::gate_channels(Map&& x, const Tensor& gates, Activation activation) {
  const at::Tensor scale = at::sigmoid(gates.to(at::kFloat)).view({x.size(0), x.size(1), 1, 1});
  const at::Tensor y = x * scale.to(x.scalar_type());
  return activation == Activation::kGelu ? at::gelu(y) : y;
}

}  // namespace tandem
