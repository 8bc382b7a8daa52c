#include "model/token_merge.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(TokenMerge, MergesTheClosestPairsAndNeverTheClassToken) {
  // Row 4 equals row 1, row 2 is near row 3, row 0 equals row 1 but is the class token.
  const std::vector<float> keys{1, 0, 1, 0, 0.1F, 1, 0, 1, 1, 0, -1, 0};
  const MergePlan one = plan_merge(keys, 6, 2, 1);
  ASSERT_EQ(one.merged.size(), 1U);
  EXPECT_EQ(one.merged[0].from, 4);
  EXPECT_EQ(one.merged[0].to, 1);
  EXPECT_EQ(one.kept, (std::vector<std::int32_t>{0, 1, 2, 3, 5}));
  const MergePlan two = plan_merge(keys, 6, 2, 2);
  ASSERT_EQ(two.merged.size(), 2U);
  EXPECT_EQ(two.merged[1].from, 2);
  EXPECT_EQ(two.merged[1].to, 3);
}

TEST(TokenMerge, LeavesHalfTheRowsAtLeast) {
  EXPECT_EQ(mergeable(50, 8), 8);
  EXPECT_EQ(mergeable(9, 8), 4);
  EXPECT_EQ(mergeable(2, 8), 0);
  EXPECT_EQ(mergeable(1, 8), 0);
}

}  // namespace
}  // namespace tandem
