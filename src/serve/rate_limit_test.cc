#include "serve/rate_limit.h"

#include <gtest/gtest.h>

namespace tandem::serve {
namespace {

using std::chrono::milliseconds;

TEST(RateLimit, lets_a_burst_through_and_then_as_many_as_come_back) {
  RateLimit limit(2, 3);
  const auto start = Clock::time_point{} + std::chrono::hours(1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.take("a", start), 0);
  EXPECT_EQ(limit.take("a", start), 1);
  EXPECT_EQ(limit.take("b", start), 0);
  EXPECT_EQ(limit.take("a", start + milliseconds(499)), 1);
  EXPECT_EQ(limit.take("a", start + milliseconds(1000)), 0);
  EXPECT_EQ(limit.take("a", start + milliseconds(1001)), 0);
  EXPECT_EQ(limit.take("a", start + milliseconds(1002)), 1);
}

TEST(RateLimit, says_how_long_to_wait) {
  RateLimit limit(0.1, 1);
  const auto start = Clock::time_point{} + std::chrono::hours(1);
  EXPECT_EQ(limit.take("a", start), 0);
  EXPECT_EQ(limit.take("a", start), 10);
}

TEST(RateLimit, without_a_rate_lets_all_through_and_remembers_nobody) {
  RateLimit limit(0, 0);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(limit.take(std::to_string(i), Clock::now()), 0);
  EXPECT_EQ(limit.buckets(), 0U);
}

TEST(RateLimit, forgets_peers_that_waited_long_enough) {
  RateLimit limit(1, 1);
  const auto start = Clock::time_point{} + std::chrono::hours(1);
  for (int i = 0; i < 100'000; ++i) limit.take(std::to_string(i), start);
  EXPECT_EQ(limit.buckets(), 100'000U);
  limit.take("one more", start + std::chrono::seconds(2));
  EXPECT_EQ(limit.buckets(), 1U);
}

}  // namespace
}  // namespace tandem::serve
