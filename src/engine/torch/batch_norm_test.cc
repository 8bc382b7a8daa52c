#include <gtest/gtest.h>

#include "engine/torch/backend.h"
#include "engine/torch/conv_norm.h"

namespace tandem {
namespace {

struct Case {
  at::Tensor x, residual, dy;
  TorchConv conv;
};

// bf16 inputs; a mean far from 0 and channel sizes that are and are not multiples of a vector.
Case make_case(std::int64_t channels) {
  at::manual_seed(3);
  Case c;
  const auto map = [&] {
    return at::randn({6, channels, 5, 7})
        .to(at::kBFloat16)
        .contiguous(at::MemoryFormat::ChannelsLast);
  };
  c.x = (map() * 2 + 3).contiguous(at::MemoryFormat::ChannelsLast);
  c.residual = map();
  c.dy = map();
  c.conv.norm.weight = at::rand({channels}) + 0.5;
  c.conv.norm.bias = at::randn({channels});
  c.conv.running_mean = at::zeros({channels});
  c.conv.running_var = at::ones({channels});
  return c;
}

struct Result {
  at::Tensor y, dx, d_residual, d_weight, d_bias, mean, variance;
};

// The same in `dtype`: float32 runs PyTorch's own operators, bf16 the fused ones.
Result run(const Case& c, at::ScalarType dtype, bool with_residual, bool relu) {
  at::Tensor x = c.x.to(dtype).detach().requires_grad_();
  at::Tensor residual = c.residual.to(dtype).detach().requires_grad_();
  TorchConv conv;
  conv.norm.weight = c.conv.norm.weight.clone().requires_grad_();
  conv.norm.bias = c.conv.norm.bias.clone().requires_grad_();
  conv.running_mean = c.conv.running_mean.clone();
  conv.running_var = c.conv.running_var.clone();
  Result r;
  r.y = batch_norm(
      x, conv, {.training = true, .relu = relu, .residual = with_residual ? &residual : nullptr});
  r.y.backward(c.dy.to(dtype));
  r.dx = x.grad();
  r.d_residual = residual.grad();
  r.d_weight = conv.norm.weight.grad();
  r.d_bias = conv.norm.bias.grad();
  r.mean = conv.running_mean;
  r.variance = conv.running_var;
  return r;
}

double distance(const at::Tensor& got, const at::Tensor& want) {
  return ((got.to(at::kFloat) - want).abs() / (want.abs() + 1)).max().item<double>();
}

class FusedBatchNormTest : public testing::TestWithParam<int> {};

TEST_P(FusedBatchNormTest, EqualsPyTorchForwardAndBackward) {
  const Case c = make_case(GetParam());
  for (const bool residual : {false, true}) {
    for (const bool relu : {false, true}) {
      const Result got = run(c, at::kBFloat16, residual, relu);
      const Result want = run(c, at::kFloat, residual, relu);
      // 2^-8: one rounding to bf16 on the way out. Sums over 210 rows stay in float32.
      EXPECT_LT(distance(got.y, want.y), 1.0 / 256);
      EXPECT_LT(distance(got.mean, want.mean), 1e-5);
      EXPECT_LT(distance(got.variance, want.variance), 1e-5);
      EXPECT_LT(distance(got.dx, want.dx), 2.0 / 256);
      EXPECT_LT(distance(got.d_weight, want.d_weight), 1e-3);
      EXPECT_LT(distance(got.d_bias, want.d_bias), 1e-3);
      if (residual) EXPECT_LT(distance(got.d_residual, want.d_residual), 1e-6);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Channels, FusedBatchNormTest, testing::Values(16, 32, 48, 128, 7));

}  // namespace
}  // namespace tandem
