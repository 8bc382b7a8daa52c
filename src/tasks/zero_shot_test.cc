#include "tasks/zero_shot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/error.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;

Matrix matrix(std::size_t rows, std::size_t cols, std::vector<float> values) {
  Matrix m;
  m.rows = rows;
  m.cols = cols;
  m.values = std::move(values);
  return m;
}

TEST(ClassEmbeddings, AreMeansOverTemplatesNormalisedAgain) {
  std::vector<std::string> asked;
  const auto embed = [&](const std::vector<std::string>& texts) {
    asked = texts;
    return matrix(4, 2, {1, 0, 0, 1, 0.6F, 0.8F, 0.6F, 0.8F});
  };
  const auto got = class_embeddings(embed, {"cat", "dog"}, {"a {}.", "{}"});
  EXPECT_THAT(asked, ElementsAre("a cat.", "cat", "a dog.", "dog"));
  // (1,0) and (0,1) average to (0.5,0.5), whose unit vector is sqrt(0.5) twice.
  EXPECT_THAT(got.values, ElementsAre(FloatNear(0.70710678F, 1e-6F), FloatNear(0.70710678F, 1e-6F),
                                      FloatNear(0.6F, 1e-6F), FloatNear(0.8F, 1e-6F)));
}

TEST(ClassEmbeddings, RefuseNoLabelsAndNoTemplates) {
  const auto embed = [](const std::vector<std::string>&) { return Matrix(); };
  EXPECT_THROW(class_embeddings(embed, {}, {"{}"}), Error);
  EXPECT_THROW(class_embeddings(embed, {"cat"}, {}), Error);
}

TEST(Cosines, AreDotProductsOfUnitRows) {
  const auto got =
      cosines(matrix(2, 2, {1, 0, 0.6F, 0.8F}), matrix(3, 2, {1, 0, 0, 1, 0.8F, 0.6F}));
  EXPECT_EQ(got.rows, 2U);
  EXPECT_EQ(got.cols, 3U);
  EXPECT_THAT(got.values, ElementsAre(1, 0, 0.8F, 0.6F, 0.8F, FloatNear(0.96F, 1e-6F)));
}

TEST(Cosines, RefuseDifferentWidths) { EXPECT_THROW(cosines(Matrix(1, 2), Matrix(1, 3)), Error); }

TEST(Probabilities, AreTheSoftmaxOfScaledCosines) {
  // exp(0), exp(-10*0.1), exp(-10*0.2) over their sum, from a desk calculator.
  EXPECT_THAT(probabilities(std::vector<float>{0.5F, 0.4F, 0.3F}, 10),
              ElementsAre(FloatNear(0.66524096F, 1e-6F), FloatNear(0.24472847F, 1e-6F),
                          FloatNear(0.09003057F, 1e-6F)));
}

TEST(Probabilities, DoNotOverflowAtClipsLargestScale) {
  EXPECT_THAT(probabilities(std::vector<float>{1, -1}, 100), ElementsAre(1, FloatNear(0, 1e-6F)));
}

TEST(ClassRanks, CountClassesScoredAtLeastAsHigh) {
  const auto scores = matrix(2, 3, {0.9F, 0.5F, 0.1F, 0.2F, 0.2F, 0.2F});
  EXPECT_THAT(class_ranks(scores, std::vector<std::size_t>{1, 0}), ElementsAre(1, 2));
}

TEST(Probabilities, WithABiasJudgeEachTextAlone) {
  // sigmoid(100 * 0.1 - 10) = 1/2, sigmoid(100 * 0.12 - 10) = 0.8808, sigmoid(-1010) = 0.
  EXPECT_THAT(probabilities(std::vector<float>{0.1F, 0.12F, -10}, 100, -10.0),
              ElementsAre(FloatNear(0.5F, 1e-5F), FloatNear(0.8807970F, 1e-5F), 0));
}

}  // namespace
}  // namespace tandem
