#include "train/captions.h"

#include <gtest/gtest.h>
#include <map>

namespace tandem {
namespace {

TEST(Captions, AreDrawnByTheirShares) {
  const std::vector<std::string> captions{"cat", "pet", "animal"};
  const CaptionConfig config{.first_share = 0.4, .templates = {{"{}", 3}, {"an icon of {}", 1}}};
  std::map<std::string, int> seen;
  Rng rng(1);
  for (int i = 0; i < 24'000; ++i) ++seen[sample_caption(captions, config, rng)];
  EXPECT_EQ(seen.size(), 6U);
  // 0.4 + 0.6/3 of the time the first, 3/4 of that bare. 5 deviations of 24,000 draws are below
  // 400.
  EXPECT_NEAR(seen["cat"], 24'000 * 0.6 * 0.75, 400);
  EXPECT_NEAR(seen["an icon of animal"], 24'000 * 0.2 * 0.25, 200);
}

}  // namespace
}  // namespace tandem
