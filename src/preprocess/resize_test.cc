#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <hwy/highway.h>
#include <sstream>
#include <string>

#include "core/error.h"
#include "preprocess/image.h"
#include "preprocess/resize_window.h"
#include "preprocess/test_picture.h"

namespace tandem {
namespace {

void expect_equal_to_pillow() {
  std::ifstream file("tests/goldens/images/resize.txt");
  std::string line;
  int cases = 0;
  while (std::getline(file, line)) {
    if (line.starts_with('#')) continue;
    std::istringstream in(line);
    int width, height, channels, to_width, to_height;
    std::uint32_t seed, crc;
    std::string filter;
    Box box{};
    in >> width >> height >> channels >> seed >> to_width >> to_height >> filter;
    in >> box.left >> box.top >> box.right >> box.bottom >> crc;
    ASSERT_TRUE(in) << line;
    const Image out = resize(test_picture(width, height, channels, seed), to_width, to_height,
                             filter == "bicubic" ? Filter::kBicubic : Filter::kBilinear, box);
    EXPECT_EQ(crc32(out.pixels), crc) << line;
    ++cases;
  }
  EXPECT_GE(cases, 400);
}

TEST(Resize, EqualsPillowByteForByte) { expect_equal_to_pillow(); }

TEST(Resize, EqualsPillowWithEveryInstructionSet) {
  std::int64_t left = hwy::SupportedTargets();
  ASSERT_NE(left, 0);
  for (; left != 0; left &= left - 1) {
    SCOPED_TRACE(hwy::TargetName(left & -left));
    hwy::SetSupportedTargetsForTest(left & -left);
    expect_equal_to_pillow();
  }
  hwy::SetSupportedTargetsForTest(0);
}

TEST(Resize, WindowEqualsTheCroppedWhole) {
  const Image image = test_picture(97, 71, 3, 4);
  const Box box{3.5, 0, 97, 64.25};
  for (const auto& [w, h] : {std::pair{50, 40}, {97, 40}, {200, 71}, {31, 200}}) {
    const Image whole = resize(image, w, h, Filter::kBicubic, box);
    const Image part = resize_window(image, {w, h, Filter::kBicubic, box, 7, 11, w - 12, h - 25});
    for (int y = 0; y < part.height; ++y) {
      const auto* expected = &whole.pixels[((y + 11) * w + 7) * 3];
      const auto* got = &part.pixels[y * part.width * 3];
      ASSERT_TRUE(std::equal(got, got + part.width * 3, expected)) << w << "x" << h << " row " << y;
    }
  }
}

TEST(Resize, RefusesEmptySizesAndBoxes) {
  const Image image = test_picture(4, 4, 3, 0);
  EXPECT_THROW(resize(image, 0, 4, Filter::kBicubic), Error);
  EXPECT_THROW(resize(image, 4, -1, Filter::kBicubic), Error);
  EXPECT_THROW(resize(image, 2, 2, Filter::kBicubic, {1, 1, 1, 3}), Error);
  EXPECT_THROW(resize(image, 2, 2, Filter::kBicubic, {0, 0, 4.5, 4}), Error);
  EXPECT_THROW(resize(image, 2, 2, Filter::kBicubic, {0, 0, std::nan(""), 4}), Error);
}

}  // namespace
}  // namespace tandem
