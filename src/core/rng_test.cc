#include "core/rng.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>
#include <set>
#include <vector>

namespace tandem {
namespace {

// From the reference C code of xoshiro256++ (prng.di.unimi.it) with state {1,2,3,4}.
TEST(Rng, GivesTheReferenceSequence) {
  Rng rng(Rng::State{1, 2, 3, 4});
  const std::uint64_t want[] = {41943041ULL, 58720359ULL, 3588806011781223ULL, 3591011842654386ULL,
                                9228616714210784205ULL};
  for (const std::uint64_t word : want) EXPECT_EQ(rng.next(), word);
}

// From the reference C code of splitmix64 with seed 1234567.
TEST(Rng, SeedsItsStateWithSplitmix64) {
  const Rng rng(1234567);
  EXPECT_EQ(rng.state()[0], 6457827717110365317ULL);
  EXPECT_EQ(rng.state()[1], 3203168211198807973ULL);
  EXPECT_EQ(rng.state()[2], 9817491932198370423ULL);
  EXPECT_EQ(rng.state()[3], 4593380528125082431ULL);
}

TEST(Rng, ContinuesFromASavedState) {
  Rng rng(5);
  rng.next();
  Rng again(rng.state());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(rng.next(), again.next());
}

TEST(Rng, SplitsAreReproducibleDistinctAndLeaveTheParentAlone) {
  const Rng parent(7);
  std::set<std::uint64_t> firsts;
  for (std::uint64_t stream = 0; stream < 10'000; ++stream)
    firsts.insert(parent.split(stream).next());
  EXPECT_EQ(firsts.size(), 10'000U);
  EXPECT_EQ(parent.split(3).next(), Rng(7).split(3).next());
  EXPECT_NE(parent.split(1).split(2).next(), parent.split(2).split(1).next());
  EXPECT_NE(Rng(8).split(3).next(), parent.split(3).next());
}

// Neighbouring streams share no linear trace: half of the bits differ on average.
TEST(Rng, NeighbouringSplitsAreUncorrelated) {
  const Rng parent(9);
  double differing = 0;
  for (std::uint64_t stream = 0; stream < 2'000; ++stream) {
    differing +=
        __builtin_popcountll(parent.split(stream).next() ^ parent.split(stream + 1).next());
  }
  EXPECT_NEAR(differing / 2'000, 32, 0.6);  // standard error 4/sqrt(2000) = 0.09
}

TEST(Rng, BelowIsUniformAndInRange) {
  Rng rng(11);
  std::vector<int> counts(7);
  for (int i = 0; i < 70'000; ++i) ++counts.at(rng.below(7));
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 500);  // 5 standard deviations
  EXPECT_EQ(rng.below(1), 0U);
}

TEST(Rng, BelowIsUnbiasedForLargeRanges) {
  Rng rng(14);
  int lowest_third = 0;
  for (int i = 0; i < 30'000; ++i) lowest_third += rng.below(3ULL << 62) < (1ULL << 62) ? 1 : 0;
  EXPECT_NEAR(lowest_third, 10'000, 410);  // 5 standard deviations; 15,000 without rejection
}

TEST(Rng, UniformStaysInItsInterval) {
  Rng rng(12);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double x = rng.uniform(2, 4);
    ASSERT_GE(x, 2);
    ASSERT_LT(x, 4);
    sum += x;
  }
  EXPECT_NEAR(sum / 100'000, 3, 0.01);
}

TEST(Rng, NormalHasTheMomentsAndTailsOfANormalDistribution) {
  Rng rng(13);
  constexpr int kCount = 400'000;
  double sum = 0, squares = 0, fourths = 0;
  int beyond_two = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = rng.normal();
    sum += x;
    squares += x * x;
    fourths += x * x * x * x;
    beyond_two += std::abs(x) > 2 ? 1 : 0;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.008);  // 5 standard errors each
  EXPECT_NEAR(squares / kCount, 1, 0.012);
  EXPECT_NEAR(fourths / kCount, 3, 0.08);
  EXPECT_NEAR(static_cast<double>(beyond_two) / kCount, 0.0455, 0.0017);
}

TEST(Rng, ShuffleKeepsEveryElementAndReachesEveryOrder) {
  std::set<std::vector<int>> orders;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    std::vector<int> values = {1, 2, 3, 4};
    Rng rng(seed);
    shuffle(std::span(values), rng);
    orders.insert(values);
    std::sort(values.begin(), values.end());
    EXPECT_EQ(values, (std::vector<int>{1, 2, 3, 4}));
  }
  EXPECT_EQ(orders.size(), 24U);
}

}  // namespace
}  // namespace tandem
