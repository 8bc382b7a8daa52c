#include "cli/self_test.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "cli/self_test_values.h"
#include "engine/generated_model.h"

namespace tandem::cli {
namespace {

// tools/goldens/model_goldens.py: SEED and CONFIGS["tiny"].
constexpr std::uint64_t kSeed = 7;

ModelConfig tiny_config() {
  ModelConfig config;
  config.embed_dim = 40;
  config.vision.image_size_px = 48;
  config.vision.layers = 3;
  config.vision.width = 96;
  config.vision.head_width = 24;
  config.vision.patch_px = 16;
  config.text = {.context_length = 24, .vocab_size = 600, .width = 64, .heads = 4, .layers = 3};
  config.preprocess.size_px = 48;
  return config;
}

// `want`: the first rows of `got`, as open_clip computed them.
void compare(const Matrix& got, std::span<const float> want, SelfTest& result) {
  for (std::size_t begin = 0; begin < want.size(); begin += got.cols) {
    double cosine = 0;
    for (std::size_t i = begin; i < begin + got.cols; ++i) {
      cosine += static_cast<double>(got.values.at(i)) * want[i];
      result.max_difference =
          std::max(result.max_difference, std::abs(static_cast<double>(got.values[i]) - want[i]));
    }
    result.least_cosine = std::min(result.least_cosine, cosine);
  }
}

}  // namespace

SelfTest run_self_test(Precision precision, int threads) {
  const auto config = tiny_config();
  const auto encoder = make_cpu_encoder(generated_model(config, kSeed),
                                        {.precision = precision, .threads = threads});
  SelfTest result{.engine = encoder->describe()};
  compare(encoder->encode_images(generated_pictures(kSeed, 3, config.preprocess.size_px)),
          kSelfTestImages, result);
  compare(encoder->encode_texts(generated_texts(kSeed, 5, config.text)), kSelfTestTexts, result);
  return result;
}

}  // namespace tandem::cli
