// Folders that transformers saved, and what its SiglipModel answers (tools/goldens/hf_siglip.py).
#include <cmath>
#include <filesystem>
#include <gtest/gtest.h>

#include "core/safetensors.h"
#include "engine/golden_model.h"
#include "model/checkpoint.h"
#include "model/dialect.h"

namespace tandem {
namespace {

class HfSiglipGolden : public testing::TestWithParam<const char*> {
 protected:
  std::string folder() const { return std::string("tests/goldens/hf_siglip/") + GetParam(); }
};

struct Answer {
  Matrix image;
  Matrix text;
};

Answer answer(const Checkpoint& checkpoint) {
  const auto encoder = make_cpu_encoder(checkpoint, {.precision = Precision::kFp32, .threads = 2});
  const auto& c = checkpoint.config;
  return {encoder->encode_images(generated_pictures(7, 3, c)),
          encoder->encode_texts(generated_texts(7, 5, c.text))};
}

TEST_P(HfSiglipGolden, EqualsTransformers) {
  const Checkpoint checkpoint = load_checkpoint(folder());
  const auto want = read_safetensors(folder() + "/outputs.safetensors");
  const auto [image, text] = answer(checkpoint);
  // fp32 on both sides, of the same float16 weights; two layers.
  EXPECT_LE(distance(image, to_float(want.map.at("image"))).max_abs, 2e-5);
  EXPECT_LE(distance(text, to_float(want.map.at("text"))).max_abs, 2e-5);
  const double scale = std::exp(to_float(checkpoint.weights.at("logit_scale")).at(0));
  const double bias = to_float(checkpoint.weights.at("logit_bias")).at(0);
  double cosine = 0;
  for (std::size_t i = 0; i < image.cols; ++i) cosine += image.row(0)[i] * text.row(0)[i];
  EXPECT_NEAR(scale * cosine + bias, to_float(want.map.at("logits")).at(0), 0.01);
}

TEST_P(HfSiglipGolden, ReadsWhatItWrites) {
  const Checkpoint checkpoint = load_checkpoint(folder());
  const std::filesystem::path copy =
      std::filesystem::path(testing::TempDir()) / (std::string("hf-siglip-") + GetParam());
  hf_siglip_dialect().write(checkpoint, copy, DType::kF32);
  const Checkpoint again = load_checkpoint(copy);
  EXPECT_EQ(to_json(again.config), to_json(checkpoint.config));
  EXPECT_EQ(answer(again).image.values, answer(checkpoint).image.values);
  EXPECT_EQ(answer(again).text.values, answer(checkpoint).text.values);
  std::filesystem::remove_all(copy);
}

TEST(HfSiglip, RoundTripsItsConfigurationThroughTandemsOwn) {
  const Checkpoint checkpoint = load_checkpoint("tests/goldens/hf_siglip/tanh");
  const json::value own = to_json(checkpoint.config);
  const json::value again = json::parse(json::dump(own), "own");
  EXPECT_EQ(json::dump(to_json(parse_model_config(again, "own"))), json::dump(own));
}

INSTANTIATE_TEST_SUITE_P(Folders, HfSiglipGolden, testing::Values("tanh", "erf", "naflex"),
                         golden_test_name);

}  // namespace
}  // namespace tandem
