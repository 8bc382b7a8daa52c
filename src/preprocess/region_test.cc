#include "preprocess/region.h"

#include <cmath>
#include <gtest/gtest.h>

#include "core/error.h"

namespace tandem {
namespace {

// Pixel (x,y) is {x, y, 7}.
Image coordinates(int width, int height) {
  Image image{width, height, 3, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x)
      image.pixels.insert(image.pixels.end(),
                          {static_cast<std::uint8_t>(x), static_cast<std::uint8_t>(y), 7});
  }
  return image;
}

TEST(Crop, TakesThePixelsOfTheRegion) {
  const Image part = crop(coordinates(10, 8), {2, 3, 4, 2});
  EXPECT_EQ(part.width, 4);
  EXPECT_EQ(part.height, 2);
  EXPECT_EQ(part.pixels, crop(coordinates(10, 8), {20, 37.5, 40, 25, true}).pixels);
  EXPECT_EQ(part.pixels[0], 2);
  EXPECT_EQ(part.pixels[1], 3);
  EXPECT_EQ(part.pixels[part.pixels.size() - 3], 5);
  EXPECT_EQ(part.pixels[part.pixels.size() - 2], 4);
}

TEST(Crop, CutsToThePicture) {
  const Image part = crop(coordinates(10, 8), {-5, 6, 7, 1e300});
  EXPECT_EQ(part.width, 2);
  EXPECT_EQ(part.height, 2);
}

TEST(Crop, RefusesWhatLiesOutside) {
  const Image image = coordinates(10, 8);
  for (const Region& region : {Region{10, 0, 5, 5}, Region{0, 0, 0, 5}, Region{0, 0, -1, 5},
                               Region{NAN, 0, 5, 5}, Region{0, 0, NAN, 5}, Region{-9, 0, 5, 5}})
    EXPECT_THROW(crop(image, region), Error);
}

}  // namespace
}  // namespace tandem
