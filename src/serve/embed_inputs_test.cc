#include "serve/embed_inputs.h"

#include <gtest/gtest.h>

namespace tandem::serve {
namespace {

HttpError thrown_by(const std::function<void()>& work) {
  try {
    work();
  } catch (const HttpError& error) {
    return error;
  }
  return {0, "", ""};
}

TEST(EmbedInputs, ErrorsNameTheCallersOwnPlaces) {
  const auto fail = [](int status, const char* param) {
    return [=] { throw HttpError(status, "t", std::string(param) + ": too long", param); };
  };
  const auto at = thrown_by([&] { at_place("pictures.a", fail(422, "input[0]")); });
  EXPECT_EQ(at.param(), "pictures.a");
  EXPECT_STREQ(at.what(), "pictures.a: too long");
  const std::vector<std::string> places = {"input[1].text", "input[4].text"};
  EXPECT_EQ(thrown_by([&] { at_places(places, fail(413, "input[1]")); }).param(), "input[4].text");
  // What is not about one of them passes as it is.
  EXPECT_EQ(thrown_by([&] { at_places(places, fail(413, "input")); }).param(), "input");
  EXPECT_EQ(thrown_by([&] { at_places(places, fail(413, "input[2]")); }).param(), "input[2]");
  EXPECT_EQ(thrown_by([&] { at_places(places, fail(413, "input[99999999999999999999]")); }).param(),
            "input[99999999999999999999]");
  EXPECT_EQ(thrown_by([&] { at_place("x", fail(503, "input[1]")); }).param(), "input[1]");
}

TEST(EmbedInputs, ShortenedVectorsHaveLengthOneAgain) {
  Matrix rows(2, 3);
  rows.values = {0.6F, 0.0F, 0.8F, 0.0F, 0.0F, 1.0F};
  const Matrix cut = shortened(rows, 2);
  EXPECT_EQ(cut.values,
            (std::vector<float>{1.0F, 0.0F, 0.0F, 0.0F}));  // nothing is left of the second
  EXPECT_EQ(shortened(rows, 3).values, rows.values);
}

}  // namespace
}  // namespace tandem::serve
