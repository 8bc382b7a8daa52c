// Goldens: tools/goldens/model_positions.py (timm's resample_abs_pos_embed).
#include "model/positions.h"

#include <array>
#include <gtest/gtest.h>

#include "core/json.h"
#include "core/safetensors.h"
#include "model/weights.h"

namespace tandem {
namespace {

TEST(Positions, AreResampledAsTimmDoes) {
  const auto file = read_safetensors("tests/goldens/model_positions/positions.safetensors");
  for (const auto [prefix, from, to] :
       {std::array{1, 4, 6}, std::array{1, 7, 3}, std::array{0, 5, 5 + 4}, std::array{0, 2, 7}}) {
    const std::string name =
        std::to_string(prefix) + "-" + std::to_string(from) + "-" + std::to_string(to);
    const auto got = resample_positions(to_float(file.map.at(name + ".from")), prefix, from, to, 3);
    const auto want = to_float(file.map.at(name + ".to"));
    ASSERT_EQ(got.size(), want.size()) << name;
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], 2e-6) << name;
  }
}

ModelConfig config_of(int size) {
  const std::string text = R"({"embed_dim":8,"vision_cfg":{"width":64,"layers":1,"patch_size":8,
      "image_size":)" + std::to_string(size) +
                           R"(},"text_cfg":{"width":64,"heads":1,"layers":1,"vocab_size":514}})";
  return parse_model_config(json::parse(text, "c"), "c");
}

TEST(Positions, OfAFileForSmallerPicturesFitLargerOnes) {
  TensorMap weights = initial_weights(weight_table(config_of(32)), Rng(1));
  const ModelConfig larger = config_of(48);
  fit_positions(larger, weights);
  EXPECT_EQ(weights.at("visual.positional_embedding").shape, (std::vector<std::int64_t>{37, 64}));
  check_weights(weight_table(larger), weights, "w");
}

TEST(Positions, ThatAreNoGridAreLeftToTheCheck) {
  TensorMap weights;
  weights.add_float("visual.positional_embedding", {8, 64}, std::vector<float>(8 * 64));
  fit_positions(config_of(48), weights);
  EXPECT_EQ(weights.at("visual.positional_embedding").shape, (std::vector<std::int64_t>{8, 64}));
}

}  // namespace
}  // namespace tandem
