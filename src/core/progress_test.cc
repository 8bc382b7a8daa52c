#include "core/progress.h"

#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace tandem {
namespace {

using std::chrono::seconds;

TEST(Progress, SaysCountRateAndTimeLeft) {
  std::chrono::steady_clock::time_point clock{};
  std::vector<std::string> lines;
  Progress progress(
      {.unit = "img", .total = 50'000, .interval = seconds(10), .now = [&] { return clock; }},
      [&](const std::string& line) { lines.push_back(line); });
  clock += seconds(5);
  progress.add(2'000);
  EXPECT_TRUE(lines.empty()) << "not before the interval is over";
  clock += seconds(26);
  progress.add(10'710);
  clock += seconds(1);
  progress.add(90);
  clock += seconds(88);
  progress.add(37'200);
  progress.finish();
  progress.finish();
  EXPECT_EQ(lines, (std::vector<std::string>{"12,710/50,000  410 img/s  1m31s left",
                                             "50,000/50,000  417 img/s  0s left",
                                             "50,000/50,000  417 img/s  in 2m00s"}));
}

TEST(Progress, SaysNoTimeLeftWithoutATotal) {
  std::chrono::steady_clock::time_point clock{};
  std::string last;
  Progress progress({.unit = "texts", .interval = seconds(1), .now = [&] { return clock; }},
                    [&](const std::string& line) { last = line; });
  clock += seconds(2);
  progress.add(3);
  EXPECT_EQ(last, "3  1.5 texts/s");
}

TEST(Progress, CountsFromManyThreads) {
  std::string last;
  Progress progress({}, [&](const std::string& line) { last = line; });
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) progress.add();
      });
    }
  }
  progress.finish();
  EXPECT_EQ(last.substr(0, 5), "4,000");
}

TEST(Progress, WritesNumbersAndDurationsForPeople) {
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(with_thousands(1000), "1,000");
  EXPECT_EQ(with_thousands(12'345'678), "12,345,678");
  EXPECT_EQ(duration_text(seconds(59)), "59s");
  EXPECT_EQ(duration_text(seconds(91)), "1m31s");
  EXPECT_EQ(duration_text(seconds(3600 * 26 + 65)), "26h01m");
}

}  // namespace
}  // namespace tandem
