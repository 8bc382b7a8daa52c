#include "engine/torch/conv_norm.h"

#include "engine/torch/backend.h"

namespace tandem {

at::Tensor batch_norm(const at::Tensor& x, const TorchConv& conv, const BatchNormOptions& options) {
  at::Tensor y = at::batch_norm(x, conv.norm.weight, conv.norm.bias, conv.running_mean,
                                conv.running_var, options.training, 0.1, 1e-5, false);
  if (options.residual != nullptr) y = y + *options.residual;
  return options.relu ? at::relu_(y) : y;
}

}  // namespace tandem
