// Gated activations, rotary positions and joined matrices of the torch backend, beside plain loops.
#include <cmath>
#include <gtest/gtest.h>
#include <map>

#include "engine/torch/backend.h"

namespace tandem {
namespace {

class Named : public TorchWeights {
 public:
  std::map<std::string, at::Tensor> tensors;
  at::Tensor get(const std::string& name, at::ScalarType dtype) override {
    return tensors.at(name).to(dtype);
  }
};

TEST(TorchGates, MultiplyTheValueByTheActivatedGate) {
  TorchBackend b(PreprocessConfig{}, {});
  const at::Tensor y =
      b.gated(at::tensor({1.5F, -2.0F, 3.0F, 4.0F}).view({1, 4}), Activation::kSilu);
  EXPECT_NEAR(y[0][0].item<float>(), 1.5 / (1 + std::exp(-1.5)) * 3, 1e-6);
  EXPECT_NEAR(y[0][1].item<float>(), -2.0 / (1 + std::exp(2.0)) * 4, 1e-6);
}

TEST(TorchGates, RotaryTurnsQueriesAndKeysByTheirPlaceInTheSegment) {
  at::manual_seed(1);
  TorchBackend b(PreprocessConfig{}, {});
  const int head = 6;
  const int width = 12;
  const at::Tensor angles = at::randn({4, head}).repeat_interleave(2, 1);
  const at::Tensor x = at::randn({9, 3 * width});  // the last row is in no segment
  const at::Tensor y = b.rotary(x.clone(), angles, Segments{{0, 5, 8}, 5}, 2, 1);
  for (int r = 0; r < 9; ++r) {
    const int place = r < 5 ? r - 1 : r < 8 ? r - 6 : -1;
    for (int c = 0; c < 3 * width; c += 2) {
      const bool turns = place >= 0 && c < 2 * width;
      const float cos = turns ? angles[place][c % head].item<float>() : 1;
      const float sin = turns ? angles[place][head + c % head].item<float>() : 0;
      const float p = x[r][c].item<float>();
      const float q = x[r][c + 1].item<float>();
      ASSERT_NEAR(y[r][c].item<float>(), p * cos - q * sin, 1e-5);
      ASSERT_NEAR(y[r][c + 1].item<float>(), q * cos + p * sin, 1e-5);
    }
  }
}

TEST(TorchLoaderTest, JoinsMatricesAndFillsMissingBiasesWithZeros) {
  at::manual_seed(2);
  Named named;
  named.tensors = {{"q", at::randn({4, 8})},
                   {"q.bias", at::randn({4})},
                   {"k", at::randn({4, 8})},
                   {"fused", at::randn({12, 8})},
                   {"v.bias", at::randn({4})}};
  TorchLoader loader(named, at::kFloat);
  TorchBackend b(PreprocessConfig{}, {});
  const TorchLinear joined =
      loader.linear({.weight = "q", .bias = "q.bias", .more = {{"k"}, {"fused", "v.bias", 8, 12}}});
  const at::Tensor x = at::randn({3, 8});
  const at::Tensor y = b.linear(x, joined, Activation::kNone);
  const auto& t = named.tensors;
  EXPECT_TRUE(at::allclose(y.narrow(1, 0, 4), at::linear(x, t.at("q"), t.at("q.bias"))));
  EXPECT_TRUE(at::allclose(y.narrow(1, 4, 4), at::linear(x, t.at("k"))));
  EXPECT_TRUE(at::allclose(
      y.narrow(1, 8, 4), at::linear(x, t.at("fused").narrow(0, 8, 4), t.at("v.bias")), 1e-5, 1e-5));
}

}  // namespace
}  // namespace tandem
