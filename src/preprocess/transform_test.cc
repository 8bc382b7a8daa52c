#include "preprocess/transform.h"

#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

#include "core/json.h"
#include "preprocess/test_picture.h"

namespace tandem {
namespace {

ResizeMode mode_named(const std::string& name) {
  if (name == "squash") return ResizeMode::kSquash;
  return name == "longest" ? ResizeMode::kLongest : ResizeMode::kShortest;
}

std::vector<std::uint8_t> transformed(const Image& image, const PreprocessConfig& config) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(config.size_px) * config.size_px * 3);
  transform_image(image, config, out);
  return out;
}

TEST(Transform, EqualsOpenClip) {
  std::ifstream file("tests/goldens/images/transform.txt");
  std::string line;
  int cases = 0;
  while (std::getline(file, line)) {
    if (line.starts_with('#')) continue;
    std::istringstream in(line);
    int width, height, channels, fill;
    std::uint32_t seed, crc;
    std::string mode, filter;
    PreprocessConfig config;
    in >> width >> height >> channels >> seed >> config.size_px >> mode >> filter >> fill >> crc;
    ASSERT_TRUE(in) << line;
    config.resize_mode = mode_named(mode);
    config.interpolation = filter == "bicubic" ? Filter::kBicubic : Filter::kBilinear;
    config.fill_color = static_cast<std::uint8_t>(fill);
    EXPECT_EQ(crc32(transformed(test_picture(width, height, channels, seed), config)), crc) << line;
    ++cases;
  }
  EXPECT_GE(cases, 200);
}

TEST(Transform, OnlyComputesTheMiddleOfAVeryLongPicture) {
  // The whole resized picture would have 224 x 13 million pixels.
  PreprocessConfig config;
  const Image image = test_picture(1, 60'000, 3, 2);
  EXPECT_EQ(transformed(image, config).size(), 224U * 224 * 3);
}

TEST(Transform, KeepsASliverVisibleWhenPaddingToASquare) {
  PreprocessConfig config{.size_px = 32, .resize_mode = ResizeMode::kLongest, .fill_color = 9};
  const auto out = transformed(test_picture(1, 1000, 3, 2), config);
  EXPECT_EQ(out[0], 9);
  EXPECT_NE(out[(16 * 32 + 15) * 3], 9);
}

TEST(Transform, NormalisesLikeToTensorThenNormalize) {
  const NormaliseTable table = normalise_table({});
  // torch 2.13: (torch.tensor(v).div(255) - mean) / std, float32.
  EXPECT_EQ(table[0][0], -1.7922625541687012F);
  EXPECT_EQ(table[1][128], 0.16889731585979462F);
  EXPECT_EQ(table[2][255], 2.1458969116210938F);
}

// tests/goldens/images/naflex_sizes.json: transformers (tools/goldens/model_naflex.py).
TEST(Transform, KeepsProportionsAsTransformersDoes) {
  const json::value golden = json::read("tests/goldens/images/naflex_sizes.json");
  const json::array& rows = golden.at("rows").as_array();
  ASSERT_GT(rows.size(), 300U);
  for (const json::value& row : rows) {
    const auto at = [&](int i) { return static_cast<int>(row.at(i).as_int64()); };
    PreprocessConfig config;
    config.resize_mode = ResizeMode::kPatches;
    config.patch_px = at(2);
    config.max_patches = at(3);
    EXPECT_EQ(input_size({at(0), at(1)}, config), (PictureSize{at(4), at(5)})) << json::dump(row);
  }
}

TEST(Transform, CutsPartsOfPicturesThatDifferInSize) {
  PixelBatch batch{3, 0, {}, {{1, 2}, {2, 2}, {3, 1}}};
  for (int i = 0; i < 27; ++i) batch.pixels.push_back(static_cast<std::uint8_t>(i));
  EXPECT_EQ(batch.picture(1).front(), 6);
  const PixelBatch part = batch.part(1, 3);
  ASSERT_EQ(part.count, 2);
  EXPECT_EQ(part.picture(0).size(), 12U);
  EXPECT_EQ(part.picture(1).front(), 18);
  EXPECT_EQ(part.picture(1).size(), 9U);
}

}  // namespace
}  // namespace tandem
