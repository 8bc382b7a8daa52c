// Batch normalisation with what follows it in a residual network: an addition, a rectifier.
#pragma once

#include <ATen/ATen.h>

namespace tandem {

struct TorchConv;

struct BatchNormOptions {
  bool training = false;  // batch statistics, and the running ones move by PyTorch's momentum 0.1
  bool relu = false;
  const at::Tensor* residual = nullptr;  // added before the rectifier
};

// x: (B,C,H,W) channels-last, float32 or bf16; the norm's parameters are float32. eps 1e-5.
at::Tensor batch_norm(const at::Tensor& x, const TorchConv& conv, const BatchNormOptions& options);

}  // namespace tandem
