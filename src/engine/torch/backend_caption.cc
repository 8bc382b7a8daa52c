// What texts that grow token by token need beside backend.cc.
#include "engine/torch/backend.h"

namespace tandem {

at::Tensor TorchBackend::join_rows(const Tensor& x, const Tensor& y) { return at::cat({x, y}, 0); }

at::Tensor TorchBackend::scores(const Tensor& x, const Linear& l) {
  return linear(x, l, Activation::kNone).to(at::kFloat);
}

}  // namespace tandem
