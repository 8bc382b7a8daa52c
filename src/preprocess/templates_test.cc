#include "preprocess/templates.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace tandem {
namespace {

using testing::ElementsAre;

class File {
 public:
  explicit File(const std::string& text)
      : path_(std::filesystem::path(testing::TempDir()) / "templates_test.txt") {
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~File() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

template <typename Call>
std::string message_of(Kind kind, Call call) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind);
    return e.what();
  }
  ADD_FAILURE() << "nothing thrown";
  return "";
}

TEST(Templates, FillEveryHole) {
  EXPECT_EQ(apply_template("a photo of a {}.", "cat"), "a photo of a cat.");
  EXPECT_EQ(apply_template("{} and {}", "{}"), "{} and {}");
  EXPECT_EQ(apply_template("no hole {", "x"), "no hole {");
  EXPECT_EQ(apply_template("", "x"), "");
}

TEST(Templates, ShipTheSetsOfTheReference) {
  EXPECT_THAT(load_templates("none", "assets"), ElementsAre("{}"));
  EXPECT_EQ(load_templates("simple", "assets").size(), 7U);
  const std::vector<std::string> openai = load_templates("openai", "assets");
  EXPECT_EQ(openai.size(), 80U);
  EXPECT_EQ(openai.front(), "a bad photo of a {}.");
  EXPECT_EQ(openai.back(), "a tattoo of the {}.");
  EXPECT_GE(load_templates("icons", "assets").size(), 5U);
}

TEST(Templates, ReadAFileOfLinesWithCommentsAndDosLineEnds) {
  const File file("\xEF\xBB\xBF# mine\r\n a {} \r\n\r\n{}!");
  EXPECT_THAT(load_templates(file.path(), "assets"), ElementsAre("a {}", "{}!"));
}

TEST(Templates, RefuseALineWithoutAHoleAndAnEmptyFile) {
  const File file("a {}\na photo\n");
  EXPECT_THAT(message_of(Kind::kInput, [&] { load_templates(file.path(), "assets"); }),
              testing::HasSubstr("\"a photo\""));
  const File empty("# nothing\n");
  message_of(Kind::kInput, [&] { load_templates(empty.path(), "assets"); });
}

TEST(Templates, NameTheKnownSetsWhenOneIsUnknown) {
  EXPECT_THAT(message_of(Kind::kNotFound, [] { load_templates("opnai", "assets"); }),
              testing::HasSubstr("none, simple, openai, icons"));
}

TEST(Labels, AreLinesWithoutComments) {
  const File file("cat\n\n# animals\ndog \n");
  EXPECT_THAT(load_labels(file.path()), ElementsAre("cat", "dog"));
}

TEST(Labels, ReportAMissingFile) {
  message_of(Kind::kNotFound, [] { load_labels("no/such/file.txt"); });
}

}  // namespace
}  // namespace tandem
