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

}  // namespace
}  // namespace tandem
