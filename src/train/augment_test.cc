#include "train/augment.h"

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <vector>

namespace tandem {
namespace {

// A black square in the left half, transparent elsewhere.
Image left_square(int side) {
  Image image{side, side, 4, std::vector<std::uint8_t>(static_cast<std::size_t>(side) * side * 4)};
  for (int y = side / 4; y < side * 3 / 4; ++y) {
    for (int x = side / 8; x < side / 2; ++x) image.pixels[4 * (y * side + x) + 3] = 255;
  }
  return image;
}

std::vector<std::uint8_t> augmented(const Image& image, bool mono, const AugmentConfig& config,
                                    std::uint64_t seed) {
  std::vector<std::uint8_t> out(32 * 32 * 3);
  Rng rng(seed);
  augment_picture(image, mono, config, 32, rng, out);
  return out;
}

TEST(Augment, WithoutChangesIsThePictureOnWhite) {
  const Image image = left_square(32);
  const auto out = augmented(image, true, {}, 1);
  for (int i = 0; i < 32 * 32; ++i) {
    const int want = image.pixels[4 * i + 3] == 255 ? 0 : 255;
    for (int c = 0; c < 3; ++c) ASSERT_EQ(out[3 * i + c], want) << i;
  }
}

TEST(Augment, IsAFunctionOfTheSeed) {
  const AugmentConfig config{.min_scale = 0.7,
                             .max_scale = 1.1,
                             .shift = 0.1,
                             .rotation_deg = 20,
                             .recolour = 0.5,
                             .ground_tint = 0.3,
                             .ground_dark = 0.3,
                             .jitter = 0.3,
                             .blur = 0.5,
                             .coarse = 0.5,
                             .thicken = 0.5};
  const Image image = left_square(40);
  EXPECT_EQ(augmented(image, true, config, 7), augmented(image, true, config, 7));
  EXPECT_NE(augmented(image, true, config, 7), augmented(image, true, config, 8));
}

TEST(Augment, NeverMirrors) {
  const AugmentConfig config{.min_scale = 0.8, .max_scale = 1.1, .shift = 0.05, .rotation_deg = 15};
  const Image image = left_square(64);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto out = augmented(image, true, config, seed);
    std::int64_t left = 0;
    std::int64_t right = 0;
    for (int i = 0; i < 32 * 32; ++i) (i % 32 < 16 ? left : right) += 255 - out[3 * i];
    ASSERT_GT(left, right) << seed;
  }
}

TEST(Augment, OneColourDrawingsStayVisibleOnEveryGround) {
  const AugmentConfig config{
      .recolour = 0.5, .ground_tint = 0.3, .ground_dark = 0.3, .ground_any = 0.4};
  const Image image = left_square(32);
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const auto out = augmented(image, true, config, seed);
    const auto grey = [&](int i) {
      return (299 * out[3 * i] + 587 * out[3 * i + 1] + 114 * out[3 * i + 2]) / 1000;
    };
    ASSERT_GT(std::abs(grey(16 * 32 + 8) - grey(0)), 60) << seed;
  }
}

}  // namespace
}  // namespace tandem
