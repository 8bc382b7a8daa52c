#include "serve/target.h"

#include <gtest/gtest.h>

namespace tandem::serve {
namespace {

TEST(Target, splits_path_and_query_and_decodes_the_query) {
  const auto target = parse_target("/v1/items/a%20b?limit=3&q=red+bike%21&q=last&flag&=x");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/v1/items/a%20b");
  EXPECT_EQ(target->query.at("limit"), "3");
  EXPECT_EQ(target->query.at("q"), "last");
  EXPECT_EQ(target->query.at("flag"), "");
  EXPECT_EQ(target->query.at(""), "x");
}

TEST(Target, takes_the_host_of_an_absolute_form) {
  const auto target = parse_target("http://example.org:80/a?b=c");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->host, "example.org:80");
  EXPECT_EQ(target->path, "/a");
  EXPECT_EQ(parse_target("http://example.org")->path, "/");
  EXPECT_FALSE(parse_target("http:///a"));
}

TEST(Target, refuses_what_is_no_path_broken_escapes_and_nul) {
  for (const auto* text :
       {"", "a", "a/b", "/%", "/%4", "/%zz", "/%00", "/a#b", "/?a=%f", "/?%00=b"}) {
    EXPECT_FALSE(parse_target(text)) << text;
  }
}

TEST(Target, refuses_more_than_a_hundred_parts) {
  std::string query = "/?";
  for (int i = 0; i < 100; ++i) query += "a&";
  EXPECT_TRUE(parse_target(query));
  EXPECT_FALSE(parse_target(query + "a"));
}

TEST(PercentDecoded, keeps_a_plus_where_it_is_one) {
  EXPECT_EQ(percent_decoded("a+b%2B%c3%a9", Plus::kPlus), "a+b+\xc3\xa9");
  EXPECT_EQ(percent_decoded("a+b", Plus::kSpace), "a b");
}

}  // namespace
}  // namespace tandem::serve
