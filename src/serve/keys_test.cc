#include "serve/keys.h"

#include <gtest/gtest.h>

#include "serve/hosts.h"

namespace tandem::serve {
namespace {

const std::vector<ApiKey> kKeys = {{"phone", "secret-of-the-phone", Access::kRead},
                                   {"laptop", "secret-of-the-laptop", Access::kWrite},
                                   {"metrics", "secret-of-metrics", Access::kAdmin}};

int refusal(const Keys& keys, std::string_view authorization, Access access) {
  try {
    keys.check(keys.find(authorization), access);
    return 200;
  } catch (const HttpError& error) {
    return error.status();
  }
}

TEST(Keys, are_found_by_their_secret) {
  const Keys keys(kKeys);
  ASSERT_NE(keys.find("Bearer secret-of-the-laptop"), nullptr);
  EXPECT_EQ(keys.find("bEARER secret-of-the-laptop")->name, "laptop");
  for (const auto* text :
       {"", "Bearer", "Bearer ", "Bearer secret-of-the-lapto", "secret-of-the-phone",
        "Basic secret-of-the-phone", "Bearer  secret-of-the-phone"}) {
    EXPECT_EQ(keys.find(text), nullptr) << text;
  }
}

TEST(Keys, open_what_they_may) {
  const Keys keys(kKeys);
  EXPECT_EQ(refusal(keys, "", Access::kOpen), 200);
  EXPECT_EQ(refusal(keys, "", Access::kRead), 401);
  EXPECT_EQ(refusal(keys, "Bearer secret-of-the-phone", Access::kRead), 200);
  EXPECT_EQ(refusal(keys, "Bearer secret-of-the-phone", Access::kWrite), 403);
  EXPECT_EQ(refusal(keys, "Bearer secret-of-the-laptop", Access::kWrite), 200);
  EXPECT_EQ(refusal(keys, "Bearer secret-of-the-laptop", Access::kAdmin), 403);
  EXPECT_EQ(refusal(keys, "Bearer secret-of-metrics", Access::kAdmin), 200);
}

TEST(Keys, without_any_all_but_the_administration_is_open) {
  const Keys keys({});
  EXPECT_EQ(refusal(keys, "", Access::kWrite), 200);
  EXPECT_EQ(refusal(keys, "", Access::kAdmin), 401);
}

TEST(Hosts, allow_the_bound_address_localhost_and_listed_names_only) {
  const Hosts hosts("127.0.0.1", {"Example.org", "b.test:81"});
  for (const auto* host : {"127.0.0.1", "127.0.0.1:8420", "localhost:1", "LOCALHOST", "[::1]:8420",
                           "example.org:8420", "b.test"}) {
    EXPECT_TRUE(hosts.is_allowed(host)) << host;
  }
  for (const auto* host : {"", ":80", "evil.test", "localhost.evil.test", "192.168.1.2", "[::1",
                           "[::1]x", "example.org.", "localhost@evil.test"}) {
    EXPECT_FALSE(hosts.is_allowed(host)) << host;
  }
  const Hosts anywhere("0.0.0.0", {});
  EXPECT_TRUE(anywhere.is_allowed("192.168.1.2:8420"));
  EXPECT_FALSE(anywhere.is_allowed("rebound.test:8420"));
}

TEST(Hosts, tell_the_own_origin_from_others) {
  EXPECT_TRUE(is_same_origin("http://localhost:8420", "localhost:8420"));
  EXPECT_TRUE(is_same_origin("https://a.test", "a.test:443"));
  EXPECT_TRUE(is_same_origin("http://[::1]:80", "[::1]"));
  for (const auto* origin : {"http://localhost:8421", "http://localhost", "null",
                             "file://localhost:8420", "http://evil.test:8420", ""}) {
    EXPECT_FALSE(is_same_origin(origin, "localhost:8420")) << origin;
  }
}

TEST(Hosts, believe_forwarded_addresses_from_proxies_only) {
  const std::vector<std::string> proxies = {"10.0.0.1", "10.0.0.2"};
  EXPECT_EQ(forwarded_peer("9.9.9.9", "1.1.1.1", proxies), "9.9.9.9");
  EXPECT_EQ(forwarded_peer("10.0.0.1", "1.1.1.1", proxies), "1.1.1.1");
  EXPECT_EQ(forwarded_peer("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", proxies), "1.1.1.1");
  EXPECT_EQ(forwarded_peer("10.0.0.1", "", proxies), "10.0.0.1");
  EXPECT_EQ(forwarded_peer("10.0.0.1", "unknown", proxies), "10.0.0.1");
}

}  // namespace
}  // namespace tandem::serve
