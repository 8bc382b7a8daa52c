#include "train/metrics.h"

#include <filesystem>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/files.h"
#include "train/chart.h"

namespace tandem {
namespace {

TEST(Metrics, AResumedRunDropsWhatItWillWriteAgainAndAHalfLine) {
  const auto path = std::filesystem::temp_directory_path() / fmt::format("metrics-{}", ::getpid());
  {
    MetricsLog log(path, 0);
    log.add(StepReport{.step = 10, .samples = 100, .loss = 3.25});
    log.add(ValidationPoint{20, 200, {{"set r@1", 0.5}}});
    log.add(StepReport{.step = 30, .samples = 300, .loss = 2.0});
  }
  write_file_atomically(path, read_text_file(path) + R"({"step":4)");
  const MetricsLog log(path, 20);
  std::filesystem::remove(path);
  ASSERT_EQ(log.steps().size(), 1U);
  EXPECT_EQ(log.steps()[0].loss, 3.25);
  ASSERT_EQ(log.validations().size(), 1U);
  EXPECT_EQ(log.validations()[0].values.at("set r@1"), 0.5);
}

TEST(Chart, DrawsFiniteValuesAndEscapesNames) {
  const std::string svg = svg_chart({{"a<b", {{0, 1}, {1, NAN}, {2, 3}}}}, {.title = "loss & co"});
  EXPECT_THAT(svg, testing::HasSubstr("a&lt;b"));
  EXPECT_THAT(svg, testing::HasSubstr("loss &amp; co"));
  EXPECT_THAT(svg, testing::Not(testing::HasSubstr("nan")));
}

}  // namespace
}  // namespace tandem
