// AdamW (Loshchilov & Hutter 2019) over plain buffers in one pass, as torch.optim.AdamW computes
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tandem {

// One parameter's buffers, all of `count` values. Its gradient is the sum of all that are given.
struct AdamWSlice {
  std::size_t count = 0;
  float* value = nullptr;
  float* mean = nullptr;      // first moment
  float* variance = nullptr;  // second moment
  float* average = nullptr;   // moving average of value; null: none
  std::vector<const float*> grads;
  std::vector<const std::uint16_t*> grads_bf16;
  std::uint16_t* value_bf16 = nullptr;  // rounded copy for the next forward pass; null: none
  bool decays = true;
};

struct AdamWStep {
  double lr = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  double grad_scale = 1;     // from clipping
  double average_decay = 0;  // share of `average` that stays
  std::int64_t step = 1;     // counted from 1, for the bias corrections
};

// Sum of squared gradients. The same whatever the number of threads.
double grad_square_sum(std::span<const AdamWSlice> slices, std::size_t threads);

void adamw_step(std::span<const AdamWSlice> slices, const AdamWStep& step, std::size_t threads);

}  // namespace tandem
