#include "tasks/colour_histogram.h"

#include <array>
#include <gtest/gtest.h>
#include <vector>

namespace tandem {
namespace {

TEST(ColourHistogram, CountsPixelsByColour) {
  // Two black pixels, one red, one white.
  const Image image{4, 1, 3, {0, 0, 0, 63, 63, 63, 255, 0, 0, 255, 255, 255}};
  std::array<float, kHistogramWidth> got{};
  colour_histogram(image, got);
  EXPECT_FLOAT_EQ(got[0], 0.70710678F);  // sqrt(2/4)
  EXPECT_FLOAT_EQ(got[48], 0.5F);        // red: level 3,0,0
  EXPECT_FLOAT_EQ(got[63], 0.5F);        // white: level 3,3,3
}

TEST(MeanHistograms, AreUnitRowsAndZeroForEmptyGroups) {
  Matrix histograms(2, kHistogramWidth);
  histograms.row(0)[0] = 1;
  histograms.row(1)[1] = 1;
  const auto got = mean_histograms(histograms, std::vector<std::size_t>{0, 0}, 2);
  EXPECT_FLOAT_EQ(got.row(0)[0], 0.70710678F);
  EXPECT_FLOAT_EQ(got.row(0)[1], 0.70710678F);
  for (const float v : got.row(1)) EXPECT_EQ(v, 0);
}

}  // namespace
}  // namespace tandem
