#include "tasks/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TopK, IsBestFirstAndPutsEqualScoresInOrder) {
  const std::vector<float> scores{0.1F, 0.9F, 0.5F, 0.9F};
  EXPECT_THAT(top_k(scores, 3), ElementsAre(1, 3, 2));
}

TEST(TopK, OfMoreThanThereAreIsAll) {
  EXPECT_THAT(top_k(std::vector<float>{1, 2}, 10), ElementsAre(1, 0));
  EXPECT_THAT(top_k(std::vector<float>{}, 10), IsEmpty());
}

TEST(RankOfFirst, CountsWhatStandsBeforeTheBestRightOne) {
  const std::vector<float> scores{0.9F, 0.8F, 0.7F, 0.6F};
  EXPECT_EQ(rank_of_first(scores, {true, false, false, false}), 0U);
  EXPECT_EQ(rank_of_first(scores, {false, false, true, true}), 2U);
}

TEST(RankOfFirst, LetsWrongOnesOfEqualScoreStandFirst) {
  const std::vector<float> scores(5, 0.5F);
  EXPECT_EQ(rank_of_first(scores, {true, false, false, false, false}), 4U);
  EXPECT_EQ(rank_of_first(scores, {true, true, false, false, false}), 3U);
}

TEST(RankOfFirst, WithNothingRightIsBeyondTheLast) {
  EXPECT_EQ(rank_of_first(std::vector<float>{1, 2}, {false, false}), 2U);
}

TEST(Bootstrap, IntervalHoldsTheMeanAndIsAsWideAsTheNormalApproximationSays) {
  std::vector<double> hits(400, 0.0);
  std::fill_n(hits.begin(), 100, 1.0);
  const auto got = bootstrap(hits, Rng(7));
  EXPECT_DOUBLE_EQ(got.mean, 0.25);
  EXPECT_EQ(got.samples, 400U);
  // 1.96 * sqrt(0.25 * 0.75 / 400) = 0.0424; 2,000 resamples know a percentile to about 0.002.
  EXPECT_NEAR(got.low, 0.25 - 0.0424, 0.006);
  EXPECT_NEAR(got.high, 0.25 + 0.0424, 0.006);
}

TEST(Bootstrap, OfEqualSamplesHasNoWidth) {
  const auto got = bootstrap(std::vector<double>(10, 1.0), Rng(7));
  EXPECT_EQ(got.low, 1.0);
  EXPECT_EQ(got.high, 1.0);
}

TEST(Bootstrap, RepeatsForEqualSeeds) {
  const std::vector<double> hits{0, 1, 1, 0, 1, 0, 0, 1, 1};
  EXPECT_EQ(bootstrap(hits, Rng(3)).low, bootstrap(hits, Rng(3)).low);
}

TEST(ShareWithin, IsRecallAtK) {
  const std::vector<std::size_t> ranks{0, 4, 5, 30};
  EXPECT_DOUBLE_EQ(share_within(ranks, 1, Rng(1)).mean, 0.25);
  EXPECT_DOUBLE_EQ(share_within(ranks, 5, Rng(1)).mean, 0.5);
  EXPECT_DOUBLE_EQ(share_within(ranks, 10, Rng(1)).mean, 0.75);
}

}  // namespace
}  // namespace tandem
