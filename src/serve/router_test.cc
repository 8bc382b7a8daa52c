#include "serve/router.h"

#include <array>
#include <gtest/gtest.h>

namespace tandem::serve {
namespace {

Response none(Service&, const Request&) { return {}; }

constexpr Route kOne[] = {{"GET", "/a", Access::kOpen, 0, none},
                          {"POST", "/a", Access::kRead, 9, none},
                          {"GET", "/a/{id}", Access::kRead, 0, none},
                          {"DELETE", "/a/{id}", Access::kRead, 0, none}};
constexpr Route kTwo[] = {{"GET", "/a/new", Access::kRead, 0, none},
                          {"GET", "/a/{id}/b/{side}", Access::kRead, 0, none},
                          {"GET", "/", Access::kOpen, 0, none}};

Router router() {
  static constexpr std::array<std::span<const Route>, 2> kTables = {kOne, kTwo};
  return Router(kTables);
}

TEST(Router, finds_by_method_and_path) {
  const auto routes = router();
  EXPECT_EQ(routes.match("POST", "/a").route->body_limit_bytes, 9U);
  EXPECT_EQ(routes.match("HEAD", "/a").route->method, "GET");
  EXPECT_EQ(routes.match("GET", "/").route->path, "/");
  EXPECT_EQ(routes.match("GET", "/a/new").route->path, "/a/new");
  for (const auto* path : {"", "a", "/b", "/a/", "//a", "/A", "/a/1/b", "/a/1/b/", "/a/1/b/2/"}) {
    EXPECT_EQ(routes.match("GET", path).route, nullptr) << path;
    EXPECT_EQ(routes.match("GET", path).allowed, "") << path;
  }
}

TEST(Router, captures_decoded_segments) {
  const auto found = router().match("GET", "/a/x%2Fy/b/320");
  ASSERT_NE(found.route, nullptr);
  EXPECT_EQ(found.captures.at("id"), "x/y");
  EXPECT_EQ(found.captures.at("side"), "320");
}

TEST(Router, says_which_methods_a_path_takes) {
  EXPECT_EQ(router().match("PUT", "/a").allowed, "GET, HEAD, POST");
  EXPECT_EQ(router().match("PUT", "/a/7").allowed, "GET, HEAD, DELETE");
  EXPECT_EQ(router().match("PUT", "/a/7").route, nullptr);
}

}  // namespace
}  // namespace tandem::serve
