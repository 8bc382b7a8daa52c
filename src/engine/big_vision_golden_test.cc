// Archives named as big_vision names them, and what open_clip answers after its own
// load_big_vision_weights (tools/goldens/big_vision.py).
#include <gtest/gtest.h>

#include "core/safetensors.h"
#include "engine/golden_model.h"
#include "model/checkpoint.h"

namespace tandem {
namespace {

class BigVisionGolden : public testing::TestWithParam<const char*> {
 protected:
  std::string folder() const { return std::string("tests/goldens/big_vision/") + GetParam(); }
};

TEST_P(BigVisionGolden, EqualsOpenClip) {
  const Checkpoint checkpoint = load_checkpoint(folder());
  const auto want = read_safetensors(folder() + "/outputs.safetensors");
  const auto encoder = make_cpu_encoder(checkpoint, {.precision = Precision::kFp32, .threads = 2});
  const ModelConfig& c = checkpoint.config;
  const std::uint64_t seed = std::stoull(want.metadata.at("seed"));
  const auto rows = [&](const char* name) {
    return static_cast<int>(want.map.at(name).shape.at(0));
  };
  const Matrix image =
      encoder->encode_images(generated_pictures(seed, rows("image"), c.vision.image_size_px));
  const Matrix text = encoder->encode_texts(generated_texts(seed, rows("text"), c.text));
  // fp32 on both sides, of the same float16 weights; two layers.
  EXPECT_LE(distance(image, to_float(want.map.at("image"))).max_abs, 2e-5);
  EXPECT_LE(distance(text, to_float(want.map.at("text"))).max_abs, 2e-5);
  for (const char* scalar : {"logit_scale", "logit_bias"})
    EXPECT_EQ(to_float(checkpoint.weights.at(scalar)), to_float(want.map.at(scalar))) << scalar;
}

TEST_P(BigVisionGolden, IsReadByItsFilesNameToo) {
  const Checkpoint checkpoint = load_checkpoint(folder() + "/siglip.npz");
  EXPECT_EQ(checkpoint.name, "siglip");
  EXPECT_EQ(checkpoint.fingerprint(), load_checkpoint(folder()).fingerprint());
}

INSTANTIATE_TEST_SUITE_P(Archives, BigVisionGolden, testing::Values("layers", "stacked"),
                         golden_test_name);

}  // namespace
}  // namespace tandem
