// Folders that transformers saved, and what its CLIPModel answers (tools/goldens/hf_clip.py).
#include <gtest/gtest.h>

#include "core/safetensors.h"
#include "engine/golden_model.h"
#include "model/checkpoint.h"

namespace tandem {
namespace {

class HfClipGolden : public testing::TestWithParam<const char*> {};

// Texts as the script makes them: the end of text is id 519 in each vocabulary.
TokenBatch texts(const TextConfig& config) {
  TextConfig ending_with_519 = config;
  ending_with_519.vocab_size = 520;
  return generated_texts(7, 5, ending_with_519);
}

TEST_P(HfClipGolden, EqualsTransformers) {
  const std::string folder = std::string("tests/goldens/hf_clip/") + GetParam();
  const Checkpoint checkpoint = load_checkpoint(folder);
  const auto want = read_safetensors(folder + "/outputs.safetensors");
  const auto encoder = make_cpu_encoder(checkpoint, {.precision = Precision::kFp32, .threads = 2});
  const Matrix image = encoder->encode_images(generated_pictures(7, 3, 32));
  const Matrix text = encoder->encode_texts(texts(checkpoint.config.text));
  // fp32 on both sides, of the same float16 weights; two layers.
  EXPECT_LE(distance(image, to_float(want.map.at("image"))).max_abs, 2e-5);
  EXPECT_LE(distance(text, to_float(want.map.at("text"))).max_abs, 2e-5);
}

INSTANTIATE_TEST_SUITE_P(Folders, HfClipGolden,
                         testing::Values("quick-legacy", "gelu-sharded", "first-end"),
                         golden_test_name);

}  // namespace
}  // namespace tandem
