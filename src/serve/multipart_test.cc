#include "serve/multipart.h"

#include <gtest/gtest.h>

#include "serve/message.h"

namespace tandem::serve {
namespace {

constexpr const char* kType = "multipart/form-data; boundary=XyZ";

int status_of(std::string_view type, std::string_view body) {
  try {
    parse_form(type, body);
  } catch (const HttpError& error) {
    return error.status();
  }
  return 200;
}

TEST(Multipart, ReadsPartsAsImmichSendsThem) {
  const std::string body =
      "--XyZ\r\nContent-Disposition: form-data; name=\"entries\"\r\n\r\n{\"clip\":{}}\r\n"
      "--XyZ\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a;\\\"b.jpg\"\r\n"
      "Content-Type: application/octet-stream\r\n\r\n\x01\r\n--XyY\r\n\r\n--XyZ--\r\n";
  const auto parts = parse_form("multipart/form-data; charset=utf-8; boundary=\"XyZ\"", body);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(find_part(parts, "entries")->bytes, "{\"clip\":{}}");
  const FormPart* image = find_part(parts, "image");
  EXPECT_EQ(image->file_name, "a;\"b.jpg");
  EXPECT_EQ(image->content_type, "application/octet-stream");
  EXPECT_EQ(image->bytes, "\x01\r\n--XyY\r\n");
  EXPECT_EQ(find_part(parts, "text"), nullptr);
}

TEST(Multipart, TakesPreambleEmptyPartsAndNoPartsAtAll) {
  const auto parts = parse_form(
      kType, "hello\r\n--XyZ \r\ncontent-disposition:form-data;name=a\r\n\r\n\r\n--XyZ--\r\nbye");
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].name, "a");
  EXPECT_EQ(parts[0].bytes, "");
  EXPECT_TRUE(parse_form(kType, "--XyZ--").empty());
}

TEST(Multipart, RefusesOtherTypes) {
  for (const char* type : {"", "application/json", "multipart/form-data",
                           "multipart/form-data; boundary=", "multipart/mixed; boundary=XyZ"})
    EXPECT_EQ(status_of(type, "--XyZ--"), 415) << type;
  EXPECT_EQ(status_of("multipart/form-data; boundary=" + std::string(71, 'a'), ""), 400);
}

TEST(Multipart, RefusesWhatBreaksTheRulesAtEveryCut) {
  const std::string whole =
      "--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhello\r\n--XyZ--";
  EXPECT_EQ(status_of(kType, whole), 200);
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    EXPECT_EQ(status_of(kType, whole.substr(0, cut)), 400) << cut;
  EXPECT_EQ(status_of(kType, "--XyZ\r\nno colon\r\n\r\nx\r\n--XyZ--"), 400);
  EXPECT_EQ(status_of(kType, "--XyZ\r\n\r\nno name\r\n--XyZ--"), 400);
  EXPECT_EQ(status_of(kType, "--XyZ\r\nX: " + std::string(5'000, 'x') +
                                 "\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--XyZ--"),
            400);
}

TEST(Multipart, TakesSixteenPartsAndNoMore) {
  const auto form = [](int parts) {
    std::string body;
    for (int i = 0; i < parts; ++i)
      body += "--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n";
    return body + "--XyZ--";
  };
  EXPECT_EQ(status_of(kType, form(16)), 200);
  EXPECT_EQ(status_of(kType, form(17)), 400);
}

}  // namespace
}  // namespace tandem::serve
