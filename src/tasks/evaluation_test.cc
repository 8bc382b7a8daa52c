#include "tasks/evaluation.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

// Three concepts on three axes; the second has two pictures, one of which looks like the third.
EvalSet small_set() {
  return {.name = "small", .concepts = {"a", "b", "c"}, .concept_of = {0, 1, 1, 2}};
}

EvalVectors small_vectors() {
  EvalVectors vectors;
  vectors.pictures = Matrix(4, 3);
  vectors.pictures.row(0)[0] = 1;
  vectors.pictures.row(1)[1] = 1;
  vectors.pictures.row(2)[2] = 1;
  vectors.pictures.row(3)[2] = 1;
  vectors.texts = Matrix(3, 3);
  for (std::size_t i = 0; i < 3; ++i) vectors.texts.row(i)[i] = 1;
  vectors.classes = vectors.texts;
  return vectors;
}

const Measure& find(const std::vector<Measure>& measures, const std::string& name) {
  for (const auto& measure : measures) {
    if (measure.name == name) return measure;
  }
  throw std::runtime_error("no measure " + name);
}

TEST(Evaluate, CountsTopOneOverPictures) {
  const auto got = evaluate(small_set(), small_vectors(), Rng(1));
  EXPECT_DOUBLE_EQ(find(got, "zero-shot top-1").model.mean, 0.75);
  EXPECT_DOUBLE_EQ(find(got, "zero-shot top-5").model.mean, 1);
  EXPECT_DOUBLE_EQ(find(got, "picture to text recall@1").model.mean, 0.75);
}

TEST(Evaluate, LetsAnyPictureOfAConceptAnswerItsText) {
  const auto got = evaluate(small_set(), small_vectors(), Rng(1));
  // "c" ties with b's odd picture, which counts against it.
  EXPECT_DOUBLE_EQ(find(got, "text to picture recall@1").model.mean, 2.0 / 3);
  EXPECT_DOUBLE_EQ(find(got, "text to picture recall@5").model.mean, 1);
  // Of 4 pictures, b has two: (1/4 + 1/2 + 1/4) / 3.
  EXPECT_NEAR(find(got, "text to picture recall@1").chance, 1.0 / 3, 1e-12);
  EXPECT_NEAR(find(got, "zero-shot top-1").chance, 1.0 / 3, 1e-12);
}

TEST(AddBaseline, FillsEveryMeasure) {
  auto got = evaluate(small_set(), small_vectors(), Rng(1));
  const Matrix nothing(3, 3);
  add_baseline(small_set(), small_vectors().pictures, nothing, got);
  for (const auto& measure : got) ASSERT_TRUE(measure.histogram.has_value());
  EXPECT_EQ(find(got, "zero-shot top-1").histogram, 0);  // all scores equal: nothing is gained
}

}  // namespace
}  // namespace tandem
