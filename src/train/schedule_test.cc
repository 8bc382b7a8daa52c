#include "train/schedule.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

// open_clip 3.3, open_clip_train.scheduler.cosine_lr(optimizer, 1e-3, 10, 100).
TEST(Schedule, CosineEqualsOpenClip) {
  const ScheduleConfig c{.lr = 1e-3, .warmup_steps = 10};
  EXPECT_DOUBLE_EQ(learning_rate(c, 0, 100), 0.0001);
  EXPECT_DOUBLE_EQ(learning_rate(c, 4, 100), 0.0005);
  EXPECT_DOUBLE_EQ(learning_rate(c, 9, 100), 0.001);
  EXPECT_DOUBLE_EQ(learning_rate(c, 10, 100), 0.001);
  EXPECT_DOUBLE_EQ(learning_rate(c, 11, 100), 0.0009996954135095479);
  EXPECT_DOUBLE_EQ(learning_rate(c, 55, 100), 0.0005);
  EXPECT_NEAR(learning_rate(c, 99, 100), 3.0458649045211895e-07, 1e-18);
}

TEST(Schedule, TrapezoidHoldsAndThenFallsToZero) {
  const ScheduleConfig c{
      .kind = ScheduleConfig::Kind::kTrapezoid, .lr = 2, .warmup_steps = 4, .cooldown = 0.25};
  EXPECT_DOUBLE_EQ(learning_rate(c, 1, 100), 1);
  EXPECT_DOUBLE_EQ(learning_rate(c, 40, 100), 2);
  EXPECT_DOUBLE_EQ(learning_rate(c, 75, 100), 2);
  EXPECT_DOUBLE_EQ(learning_rate(c, 84, 100), 2 * (1 - 0.6));  // 9 of 25 steps: sqrt(0.36)
  EXPECT_DOUBLE_EQ(learning_rate(c, 100, 100), 0);
}

}  // namespace
}  // namespace tandem
