#include "serve/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/access_log.h"

namespace tandem::serve {
namespace {

using testing::HasSubstr;

TEST(Metrics, write_counters_gauges_and_histograms_as_prometheus_reads_them) {
  Metrics metrics;
  metrics.counter("a_total", "Things.", "kind=\"x\"").add(3);
  metrics.counter("a_total", "Things.", "kind=\"y\"").add();
  metrics.level("b", "Level.").add(-2);
  auto& sizes = metrics.sizes("c", "Sizes.");
  sizes.observe(1);
  sizes.observe(3);
  sizes.observe(9999);
  const auto text = metrics.text();
  EXPECT_THAT(text, HasSubstr("# HELP a_total Things.\n# TYPE a_total counter\n"
                              "a_total{kind=\"x\"} 3\na_total{kind=\"y\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE b gauge\nb -2\n"));
  EXPECT_THAT(text,
              HasSubstr("c_bucket{le=\"1\"} 1\nc_bucket{le=\"2\"} 1\nc_bucket{le=\"4\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("c_bucket{le=\"+Inf\"} 3\nc_sum 10003\nc_count 3\n"));
}

TEST(Metrics, give_the_same_member_for_the_same_labels) {
  Metrics metrics;
  EXPECT_EQ(&metrics.counter("a", "", "x=\"1\""), &metrics.counter("a", "", "x=\"1\""));
  EXPECT_NE(&metrics.counter("a", "", "x=\"1\""), &metrics.counter("a", "", "x=\"2\""));
}

TEST(AccessLog, is_one_line_of_json_whatever_comes) {
  const auto line =
      access_line({.id = "a1",
                   .peer = "127.0.0.1",
                   .key = "k\"ey",
                   .method = "GET",
                   .route = "/v1/items/{id}",
                   .status = 200,
                   .bytes_in = 3,
                   .bytes_out = 5,
                   .took = std::chrono::microseconds(1500)},
                  std::chrono::system_clock::time_point(std::chrono::milliseconds(1)));
  EXPECT_EQ(line,
            R"({"time":"1970-01-01T00:00:00.001Z","id":"a1","peer":"127.0.0.1","key":"k\"ey",)"
            R"("method":"GET","route":"/v1/items/{id}","status":200,"bytes_in":3,"bytes_out":5,)"
            R"("ms":1.500})");
}

}  // namespace
}  // namespace tandem::serve
