#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>
#include <set>
#include <string>

#include "core/files.h"
#include "serve/page_files.h"

namespace tandem::serve {
namespace {

std::string header_of(const Response& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

TEST(Page, HasEveryFileOfWebAsItIs) {
  std::set<std::string> embedded;
  for (const PageFile& file : page_files()) {
    const std::string text = read_text_file(std::filesystem::path("web") / file.name);
    EXPECT_TRUE(
        std::equal(text.begin(), text.end(), file.bytes.begin(), file.bytes.end(),
                   [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; }))
        << file.name;
    embedded.insert(std::string(file.name));
  }
  for (const auto& entry : std::filesystem::directory_iterator("web")) {
    EXPECT_TRUE(embedded.contains(entry.path().filename().string())) << entry.path();
  }
}

TEST(Page, IsAnsweredWithItsTypeAndAPolicyThatAllowsNoInlineCode) {
  const Response page = page_answer("index.html", {});
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_TRUE(page.body.starts_with("<!doctype html>"));
  const std::string policy = header_of(page, "Content-Security-Policy");
  EXPECT_TRUE(policy.starts_with("default-src 'none';"));
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos);
  EXPECT_EQ(header_of(page, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(header_of(page, "Referrer-Policy"), "no-referrer");
  EXPECT_EQ(page_answer("main.js", {}).content_type, "text/javascript; charset=utf-8");
}

TEST(Page, IsNotSentAgainToWhomHasIt) {
  const std::string etag = header_of(page_answer("main.js", {}), "ETag");
  Request request;
  request.headers["if-none-match"] = "W/" + etag + ", \"other\"";
  const Response known = page_answer("main.js", request);
  EXPECT_EQ(known.status, 304);
  EXPECT_TRUE(known.body.empty());
  request.headers["if-none-match"] = "\"other\"";
  EXPECT_EQ(page_answer("main.js", request).status, 200);
}

TEST(Page, HasNoOtherFiles) {
  for (const char* name : {"", "../index.html", "main", "index.html ", "/etc/passwd"}) {
    EXPECT_THROW(page_answer(name, {}), HttpError) << name;
  }
}

}  // namespace
}  // namespace tandem::serve
