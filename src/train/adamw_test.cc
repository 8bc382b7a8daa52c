#include "train/adamw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <gtest/gtest.h>

#include "core/rng.h"
#include "core/tensor.h"

namespace tandem {
namespace {

// torch 2.13.0: AdamW(lr=0.01, betas=(0.9,0.98), eps=1e-6), decay 0.1 and 0, clip_grad_norm_
// at 1.5, five steps.
TEST(AdamW, EqualsTorchWithClippingAndTwoDecays) {
  std::array<float, 4> p{1.0F, -2.0F, 0.5F, 3.0F};
  std::array<float, 2> q{0.25F, -0.75F};
  std::array<float, 6> mean{};
  std::array<float, 6> variance{};
  const std::array<double, 5> norms{2.2583401203155518, 1.4595890045166016, 1.086692214012146,
                                    1.5005332231521606, 2.311384916305542};
  for (int i = 0; i < 5; ++i) {
    const std::array<float, 4> gp{0.1F * (i + 1), -0.3F, 0.0F, 2.0F - i};
    const std::array<float, 2> gq{1.0F, -0.01F * (i + 1)};
    const std::array<AdamWSlice, 2> slices{AdamWSlice{.count = 4,
                                                      .value = p.data(),
                                                      .mean = mean.data(),
                                                      .variance = variance.data(),
                                                      .grads = {gp.data()}},
                                           AdamWSlice{.count = 2,
                                                      .value = q.data(),
                                                      .mean = mean.data() + 4,
                                                      .variance = variance.data() + 4,
                                                      .grads = {gq.data()},
                                                      .decays = false}};
    const double norm = std::sqrt(grad_square_sum(slices, 1));
    EXPECT_NEAR(norm, norms[i], 1e-6);
    adamw_step(slices,
               {.lr = 0.01,
                .beta1 = 0.9,
                .beta2 = 0.98,
                .eps = 1e-6,
                .weight_decay = 0.1,
                .grad_scale = std::min(1.0, 1.5 / (norm + 1e-6)),
                .step = i + 1},
               1);
  }
  const std::array<float, 4> want_p{0.947797358F, -1.940500855F, 0.497505039F, 2.956682444F};
  const std::array<float, 2> want_q{0.200381100F, -0.702695072F};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(p[i], want_p[i], 1e-6);
  for (int i = 0; i < 2; ++i) EXPECT_NEAR(q[i], want_q[i], 1e-6);
}

// Several thousand values: more than one chunk, not a multiple of any block.
struct Buffers {
  explicit Buffers(std::size_t n) : value(n), mean(n), variance(n), grad(n), bf16(n), out(n) {
    Rng rng(4);
    for (std::size_t i = 0; i < n; ++i) {
      value[i] = static_cast<float>(rng.normal());
      bf16[i] = float_to_bf16(static_cast<float>(rng.normal()));
      grad[i] = 2 * bf16_to_float(bf16[i]);
    }
  }
  std::vector<float> value, mean, variance, grad;
  std::vector<std::uint16_t> bf16, out;
};

TEST(AdamW, GradientsOfReplicasAreSummedAndLeavesAreRounded) {
  const std::size_t n = 40'003;
  Buffers whole(n);
  Buffers halves(n);
  const AdamWSlice a{.count = n,
                     .value = whole.value.data(),
                     .mean = whole.mean.data(),
                     .variance = whole.variance.data(),
                     .grads = {whole.grad.data()}};
  const AdamWSlice b{.count = n,
                     .value = halves.value.data(),
                     .mean = halves.mean.data(),
                     .variance = halves.variance.data(),
                     .grads_bf16 = {halves.bf16.data(), halves.bf16.data()},
                     .value_bf16 = halves.out.data()};
  EXPECT_DOUBLE_EQ(grad_square_sum({&a, 1}, 1), grad_square_sum({&b, 1}, 3));
  const AdamWStep step{.lr = 0.1, .weight_decay = 0.2};
  adamw_step({&a, 1}, step, 1);
  adamw_step({&b, 1}, step, 3);
  EXPECT_EQ(whole.value, halves.value);
  for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(halves.out[i], float_to_bf16(halves.value[i]));
}

TEST(AdamW, AverageFollowsTheValue) {
  float value = 1;
  float mean = 0;
  float variance = 0;
  float average = 5;
  const float grad = 0;
  const AdamWSlice s{.count = 1,
                     .value = &value,
                     .mean = &mean,
                     .variance = &variance,
                     .average = &average,
                     .grads = {&grad}};
  adamw_step({&s, 1}, {.lr = 0.1, .average_decay = 0.75}, 1);
  EXPECT_FLOAT_EQ(average, 4);
}

}  // namespace
}  // namespace tandem
