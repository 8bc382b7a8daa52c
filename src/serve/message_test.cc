#include "serve/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/error.h"

#include "serve/answer_text.h"
#include "serve/answers.h"
#include "serve/base64.h"
#include "serve/picture_source.h"
#include "serve/preview_cache.h"

namespace tandem::serve {
namespace {

using testing::HasSubstr;
using testing::Not;

int status_of(const Error& error) { return http_error(std::make_exception_ptr(error)).status(); }

TEST(Answers, give_each_kind_of_failure_its_status) {
  EXPECT_EQ(status_of(Error(Kind::kInput, "x")), 400);
  EXPECT_EQ(status_of(Error(Kind::kNotFound, "x")), 404);
  EXPECT_EQ(status_of(Error(Kind::kUnsupported, "x")), 422);
  EXPECT_EQ(status_of(Error(Kind::kCorrupt, "x")), 500);
  EXPECT_EQ(status_of(Error(Kind::kNetwork, "x")), 502);
  EXPECT_EQ(status_of(Error(Kind::kIo, "x")), 500);
  EXPECT_EQ(status_of(Error(Kind::kIo, "a.sqlite: the disk is full. Free some space.")), 507);
  EXPECT_EQ(status_of(Error(Kind::kInternal, "x")), 500);
  EXPECT_EQ(http_error(std::make_exception_ptr(std::bad_alloc())).status(), 503);
  EXPECT_EQ(http_error(std::make_exception_ptr(7)).status(), 500);
}

TEST(Answers, keep_paths_to_themselves) {
  for (const auto kind : {Kind::kNotFound, Kind::kCorrupt, Kind::kIo, Kind::kInternal}) {
    const auto error = http_error(std::make_exception_ptr(Error(kind, "no /home/me/a.sqlite")));
    EXPECT_THAT(error.what(), Not(HasSubstr("/home")));
  }
  EXPECT_STREQ(http_error(std::make_exception_ptr(Error(Kind::kNotFound, "no item 7"))).what(),
               "no item 7");
}

TEST(Answers, have_the_shape_of_their_dialect) {
  const HttpError error(429, "overloaded", "too \"much\"", std::nullopt, 3);
  const auto own = error_answer(error, ErrorShape::kTandem, "id-1");
  EXPECT_EQ(own.body, R"({"error":{"code":429,"type":"overloaded","message":"too \"much\"",)"
                      R"("param":null},"request_id":"id-1"})");
  EXPECT_EQ(error_answer(error, ErrorShape::kTei, "").body,
            R"({"error":"too \"much\"","error_type":"Overloaded"})");
  EXPECT_EQ(error_answer(error, ErrorShape::kPlain, "").body, "too \"much\"");
  EXPECT_EQ(own.headers.at(0), (std::pair<std::string, std::string>("Retry-After", "3")));
}

TEST(WireText, cannot_be_split_by_a_header) {
  Response answer;
  answer.headers = {{"X-A", "fine"}, {"X-B", "a\r\nSet-Cookie: x"}, {"Cache-Control", "private"}};
  const auto text = wire_text(answer, {.request_id = "r"});
  EXPECT_THAT(text, HasSubstr("X-A: fine\r\n"));
  EXPECT_THAT(text, Not(HasSubstr("Set-Cookie")));
  EXPECT_THAT(text, HasSubstr("Cache-Control: private\r\n"));
  EXPECT_THAT(text, Not(HasSubstr("no-store")));
}

TEST(WireText, has_no_body_for_204_and_head) {
  Response answer{.status = 204, .body = "x"};
  EXPECT_THAT(wire_text(answer, {}), testing::EndsWith("\r\n\r\n"));
  EXPECT_THAT(wire_text(answer, {}), Not(HasSubstr("Content-Length")));
  answer.status = 200;
  const auto head = wire_text(answer, {.head_only = true});
  EXPECT_THAT(head, HasSubstr("Content-Length: 1\r\n"));
  EXPECT_THAT(head, testing::EndsWith("\r\n\r\n"));
}

std::string decoded(std::string_view text) {
  const auto bytes = base64_decoded(text);
  if (!bytes) return "refused";
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

TEST(Base64, reads_what_is_well_formed_only) {
  EXPECT_EQ(decoded(""), "");
  EXPECT_EQ(decoded("TQ=="), "M");
  EXPECT_EQ(decoded("TWE="), "Ma");
  EXPECT_EQ(decoded("TWFu"), "Man");
  EXPECT_EQ(decoded("TWFuTQ"), "ManM");
  for (const auto* text :
       {"T", "TWFuT", "TQ=", "TQ===", "T Q=", "TQ\n", "TR==", "T-_+", "=", "TWE=TWE="}) {
    EXPECT_EQ(decoded(text), "refused") << text;
  }
}

int refusal(const std::string& source, bool fetch = false) {
  try {
    picture_from(source, {.max_bytes = 6, .fetch_urls = fetch});
    return 200;
  } catch (const HttpError& error) {
    return error.status();
  }
}

TEST(PictureSource, takes_data_uris_and_base64_within_the_limit) {
  EXPECT_EQ(refusal("TWFu"), 200);
  EXPECT_EQ(refusal("data:image/png;base64,TWFuTWFu"), 200);
  EXPECT_EQ(refusal("data:image/png;base64,TWFuTWFuTQ"), 413);
  EXPECT_EQ(refusal(std::string(1000, 'A')), 413);
  for (const auto* text : {"", "data:", "data:image/png;base64", "data:text/plain;base64,TWFu",
                           "data:image/png,TWFu", "data:image/png;base64,", "file:///"}) {
    EXPECT_EQ(refusal(text), 422) << text;
  }
}

TEST(PictureSource, answers_addresses_with_one_text_whatever_the_cause) {
  const auto text = [](const std::string& url, bool fetch) -> std::string {
    try {
      picture_from(url, {.max_bytes = 6, .fetch_urls = fetch});
      return "";
    } catch (const HttpError& error) {
      return std::to_string(error.status()) + error.type() + error.what();
    }
  };
  const auto off = text("http://example.org/a.png", false);
  EXPECT_THAT(off, HasSubstr("400url_forbidden"));
  for (const auto* url : {"http://127.0.0.1/a", "http://[::1]/a", "http://127.0.0.1:1/a",
                          "https://localhost/a", "http://0x7f000001/", "http://a b/"}) {
    EXPECT_EQ(text(url, true), off) << url;
  }
}

TEST(PreviewCache, keeps_the_latest_within_its_bytes) {
  PreviewCache cache(100);
  const auto bytes = [](std::size_t count) {
    return std::make_shared<const std::vector<std::byte>>(count);
  };
  cache.add("a", bytes(40));
  cache.add("b", bytes(40));
  EXPECT_NE(cache.find("a"), nullptr);  // now b is the oldest
  cache.add("c", bytes(40));
  EXPECT_EQ(cache.find("b"), nullptr);
  EXPECT_NE(cache.find("a"), nullptr);
  EXPECT_NE(cache.find("c"), nullptr);
  EXPECT_EQ(cache.bytes(), 80U);
  cache.add("d", bytes(101));
  EXPECT_EQ(cache.find("d"), nullptr);
}

}  // namespace
}  // namespace tandem::serve
