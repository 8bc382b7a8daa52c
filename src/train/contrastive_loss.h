// Symmetric InfoNCE over a batch (Radford et al. 2021, fig. 3).
#pragma once

#include <ATen/ATen.h>
#include <cstdint>
#include <span>

#include "train/contrastive.h"

namespace tandem {

// images, texts: (B,E), any norm, any float type; logit_scale: scalar, the logarithm of the factor.
// groups: (B), -1: a group of its own. Returns the scalar mean of both directions in float32.
at::Tensor contrastive_loss(const at::Tensor& images, const at::Tensor& texts,
                            const at::Tensor& logit_scale, std::span<const std::int64_t> groups,
                            EqualGroups equal_groups);

}  // namespace tandem
