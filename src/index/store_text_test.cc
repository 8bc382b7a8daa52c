#include "index/store_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/utf8.h"
#include "index/rest_client.h"
#include "index/store_location.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(StoreText, AnyBytesBecomeTextAndComeBack) {
  for (const auto& bytes : {std::string("plain é"), std::string("\0a\xff", 3),
                            std::string("\xef\xb7\x90"
                                        "61"),
                            std::string("\xed\xa0\x80"), std::string("\xc3"), std::string()}) {
    const auto wire = to_wire(bytes);
    EXPECT_TRUE(is_utf8(wire));
    EXPECT_EQ(wire.find('\0'), std::string::npos);
    EXPECT_EQ(from_wire(wire), bytes);
  }
  EXPECT_EQ(to_wire("plain é"), "plain é");
  EXPECT_EQ(from_wire("somebody's \xef\xb7\x90 own"), "somebody's \xef\xb7\x90 own");
}

TEST(StoreText, IdsAreSixtyThreeBitsOfTheUrisHash) {
  // echo -n a | sha256sum: ca978112ca1bbdca…
  EXPECT_EQ(id_of_uri("a"), static_cast<std::int64_t>(0xca978112ca1bbdcaULL >> 1));
}

TEST(StoreLocation, HasItsParts) {
  auto at = parse_store_location(
      "Qdrant+https://me%40x:p%3Aw@db.example:6334/pic%2Ftures?tls=1&timeout_ms=5");
  EXPECT_EQ(at.scheme, "qdrant");
  EXPECT_TRUE(at.tls);
  EXPECT_EQ(at.user, "me@x");
  EXPECT_EQ(at.password, "p:w");
  EXPECT_EQ(at.host, "db.example");
  EXPECT_EQ(at.port, 6334);
  EXPECT_THAT(at.path, ElementsAre("pic/tures"));
  EXPECT_EQ(at.take("timeout_ms", "1"), "5");
  EXPECT_EQ(at.shown(), "qdrant+https://db.example:6334/pic/tures");
  EXPECT_EQ(parse_store_location("chroma://[::1]:8000/a").host, "::1");
  EXPECT_EQ(parse_store_location("pgvector:///db?host=%2Ftmp").options.at("host"), "/tmp");
}

TEST(StoreLocation, RefusesOthersWithoutRepeatingThem) {
  for (const auto* text :
       {"qdrant:/x", "qdrant://u:s3cret@h:port/x", "qdrant://u:s3cret@h:0/x",
        "qdrant://u:s3cret@[::1/x", "qdrant://u:s3cret%zz@h/x", "qdrant://u:s3cret@h/x?a",
        "qdrant://u:s3cret@h/x?tls=yes", "qdrant://u:s3cret@h:70000/x", "qdrant://u:s3cret%"}) {
    try {
      parse_store_location(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::kInput);
      EXPECT_THAT(error.what(), Not(HasSubstr("s3cret")));
    }
  }
}

TEST(RestClient, WritesVectorsAndBase64) {
  EXPECT_EQ(vector_text(std::vector<float>{0.1F, -1, 1e-9F}), "[0.1,-1,1e-09]");
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("a"), "YQ==");
  EXPECT_EQ(base64("ab"), "YWI=");
  EXPECT_EQ(base64("abc"), "YWJj");
}

}  // namespace
}  // namespace tandem
