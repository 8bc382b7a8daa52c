#include "core/threads.h"

#include <atomic>
#include <gtest/gtest.h>
#include <memory>
#include <sched.h>
#include <stdexcept>
#include <thread>
#include <vector>

namespace tandem {
namespace {

TEST(ParallelFor, VisitsEveryIndexOnce) {
  for (const std::size_t threads : {0, 1, 2, 7}) {
    std::vector<std::atomic<int>> visits(1000);
    parallel_for(visits.size(), threads, [&](std::size_t i) { ++visits[i]; });
    for (const auto& v : visits) ASSERT_EQ(v, 1);
  }
  parallel_for(0, 4, [](std::size_t) { FAIL() << "nothing to visit"; });
}

TEST(ParallelFor, RethrowsTheFirstExceptionAndStopsTheRest) {
  std::atomic<int> calls = 0;
  const auto body = [&](std::size_t i) {
    ++calls;
    if (i == 3) throw std::runtime_error("three");
    std::this_thread::yield();
  };
  for (const std::size_t threads : {1, 3}) {
    calls = 0;
    EXPECT_THROW(parallel_for(1'000'000, threads, body), std::runtime_error);
    EXPECT_LT(calls, 1'000'000);
  }
}

TEST(AvailableThreads, FollowsTheAffinityOfTheProcess) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  EXPECT_GE(available_threads(), 1U);
  EXPECT_LE(available_threads(), static_cast<std::size_t>(CPU_COUNT(&before)));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
      break;
    }
  }
  ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(available_threads(), 1U);
  ::sched_setaffinity(0, sizeof(before), &before);
}

TEST(ThreadsOfQuota, RoundsUpAndKnowsNoLimit) {
  EXPECT_EQ(threads_of_quota("200000 100000"), 2U);
  EXPECT_EQ(threads_of_quota("150000 100000"), 2U);
  EXPECT_EQ(threads_of_quota("1000 100000"), 1U);
  EXPECT_EQ(threads_of_quota("max 100000"), std::nullopt);
  EXPECT_EQ(threads_of_quota("-1 100000"), std::nullopt);
  EXPECT_EQ(threads_of_quota(" "), std::nullopt);
  EXPECT_EQ(threads_of_quota(""), std::nullopt);
}

TEST(BoundedQueue, HandsOverInOrderAndDrainsAfterClose) {
  BoundedQueue<std::unique_ptr<int>> queue(2);  // a move-only type
  std::jthread producer([&] {
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(queue.push(std::make_unique<int>(i)));
    queue.close();
  });
  for (int i = 0; i < 100; ++i) EXPECT_EQ(*queue.pop().value(), i);
  EXPECT_EQ(queue.pop(), std::nullopt);
  EXPECT_FALSE(queue.push(nullptr));
}

TEST(BoundedQueue, CloseWakesAProducerThatWaitsForRoom) {
  BoundedQueue<int> queue(1);
  queue.push(1);
  bool accepted = true;
  {
    std::jthread producer([&] { accepted = queue.push(2); });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    queue.close();
  }
  EXPECT_FALSE(accepted);
}

}  // namespace
}  // namespace tandem
