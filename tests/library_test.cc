// The library as its users see it: public headers only, besides what makes the model's files.
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tandem/tandem.h>

#include "engine/generated_model.h"

namespace {

namespace fs = std::filesystem;

const std::vector<fs::path> kPictures{"assets/samples/twemoji-crab.png",
                                      "assets/samples/twemoji-drum.png",
                                      "assets/samples/twemoji-chair.png"};

class Library : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    tandem::ModelConfig config;
    config.embed_dim = 32;
    config.vision = {
        .image_size_px = 32, .layers = 2, .width = 64, .head_width = 16, .patch_px = 8};
    config.text = {.context_length = 32, .vocab_size = 2000, .width = 64, .heads = 4, .layers = 2};
    config.preprocess.size_px = 32;
    tandem::save_checkpoint(folder(), config, tandem::generated_model(config, 3).weights,
                            tandem::DType::kF32);
  }
  static void TearDownTestSuite() { fs::remove_all(folder()); }
  static fs::path folder() { return fs::path(::testing::TempDir()) / "library_test_model"; }
  static tandem::Model load(int threads) {
    return tandem::Model::load(
        folder().string(),
        {.precision = tandem::Precision::kFp32, .threads = threads, .assets = "assets"});
  }
};

TEST_F(Library, GivesUnitVectorsInTheOrderAsked) {
  const auto model = load(2);
  const auto images = model.embed_images(kPictures);
  ASSERT_EQ(images.rows, 3U);
  ASSERT_EQ(images.cols, static_cast<std::size_t>(model.width()));
  for (std::size_t i = 0; i < images.rows; ++i) {
    double squares = 0;
    for (const float v : images.row(i)) squares += static_cast<double>(v) * v;
    EXPECT_NEAR(squares, 1, 1e-5);
    const auto alone = model.embed_images({kPictures[i]});
    for (std::size_t e = 0; e < images.cols; ++e)
      EXPECT_NEAR(alone.values[e], images.row(i)[e], 2e-6);  // fp32 rounding
  }
}

TEST_F(Library, EmbedsTextsOfAnyLengthTogetherAsAlone) {
  const auto model = load(1);
  const std::vector<std::string> texts{"a cat", "", std::string(5000, 'x'),
                                       "a very small dog on a large red sofa"};
  const auto together = model.embed_texts(texts);
  ASSERT_EQ(together.rows, texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto alone = model.embed_texts({texts[i]});
    for (std::size_t e = 0; e < together.cols; ++e)
      EXPECT_NEAR(alone.values[e], together.row(i)[e], 2e-6);
  }
}

TEST_F(Library, ClassifiesWithProbabilitiesThatSumToOne) {
  const auto model = load(1);
  const auto best = tandem::classify(model, model.embed_images(kPictures),
                                     tandem::labels({"crab", "drum", "chair"}));
  ASSERT_EQ(best.size(), 3U);
  for (const auto& ranked : best) {
    ASSERT_EQ(ranked.size(), 3U);
    EXPECT_GE(ranked[0].probability, ranked[1].probability);
    EXPECT_NEAR(ranked[0].probability + ranked[1].probability + ranked[2].probability, 1, 1e-5);
  }
  EXPECT_THROW(tandem::classify(model, model.embed_images(kPictures), tandem::labels({})),
               tandem::Error);
}

TEST_F(Library, NamesTheSpaceByItsWeights) {
  EXPECT_EQ(load(1).fingerprint(), load(2).fingerprint());
  EXPECT_FALSE(load(1).fingerprint().empty());
}

TEST_F(Library, SaysWhatIsMissing) {
  try {
    (void)tandem::Model::load("no/such/model", {.assets = "assets"});
    FAIL() << "nothing was thrown";
  } catch (const tandem::Error& e) {
    EXPECT_EQ(e.kind(), tandem::Kind::kNotFound);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("no/such/model"));
  }
}

}  // namespace
