#include "cli/console.h"

#include <gtest/gtest.h>

#include "cli/options.h"
#include "core/rng.h"
#include "core/utf8.h"

namespace tandem::cli {
namespace {

TEST(Escape, LeavesOrdinaryTextOfAnyScriptAlone) {
  for (const std::string text :
       {"cat.png", "Übergröße", "猫の写真.jpg", "صورة", "👩‍👧 family", "a b"}) {
    EXPECT_EQ(escape(text), text);
  }
}

TEST(Escape, ShowsWhatMovesTheCursorOrReordersText) {
  EXPECT_EQ(escape("a\x1b[2Jb"), "a\\x1b[2Jb");
  EXPECT_EQ(escape("two\nlines\tand\rmore"), "two\\nlines\\tand\\x0dmore");
  EXPECT_EQ(escape("\xc2\x9b"), "\\x9b");                      // CSI as one C1 character
  EXPECT_EQ(escape("gnp\xe2\x80\xae.exe"), "gnp\\u202e.exe");  // right-to-left override
  EXPECT_EQ(escape("\xff\xfe"), "\\xff\\xfe");
}

TEST(Escape, MakesTenThousandHostileNamesHarmless) {
  Rng rng(1);
  for (int i = 0; i < 10'000; ++i) {
    std::string name;
    for (auto length = rng.below(40); length > 0; --length)
      name += static_cast<char>(rng.below(256));
    const auto safe = escape(name);
    ASSERT_TRUE(is_utf8(safe));
    for (const char c : safe) {
      ASSERT_FALSE((c >= 0 && c < 0x20) || c == 0x7F) << i;
    }
    ASSERT_EQ(safe.find("\xc2\x9b"), std::string::npos);
  }
}

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("ü"), 1U);
  EXPECT_EQ(display_width("猫"), 2U);
  EXPECT_EQ(display_width("e\xcc\x81"), 1U);  // e and a combining accent
}

TEST(Fit, CutsAtTheEndAndPathsAtTheBeginning) {
  EXPECT_EQ(fit("abcdef", 6), "abcdef");
  EXPECT_EQ(fit("abcdefg", 6), "abcde…");
  EXPECT_EQ(fit("猫猫猫", 4), "猫…");
  EXPECT_EQ(fit_path("photos/cat.png", 8), "…cat.png");
}

TEST(Bar, FillsInEighthsAndKeepsItsWidth) {
  EXPECT_EQ(bar(1, 3), "███");
  EXPECT_EQ(bar(0, 3), "   ");
  EXPECT_EQ(bar(0.5, 3), "█▌ ");
  EXPECT_EQ(bar(7, 2), "██");
}

TEST(SplitList, TrimsAndKeepsEscapedCommas) {
  EXPECT_EQ(split_list(" cat, dog ,,a\\, b,"), (std::vector<std::string>{"cat", "dog", "a, b"}));
  EXPECT_TRUE(split_list(" , ").empty());
}

class OptionsTest : public ::testing::Test {
 protected:
  OptionsTest() : options_("demo", "shows options") {
    options_.words("FILE…", files_, "files", 1, 2);
    options_.number("--top", "K", top_, "how many", 1);
    options_.texts("--not", "WORDS", unwanted_, "not these");
    options_.flag("--strict", strict_, "be strict");
  }
  Options options_;
  std::vector<std::string> files_;
  std::vector<std::string> unwanted_;
  int top_ = 3;
  bool strict_ = false;
};

TEST_F(OptionsTest, FillsVariablesFromAnyOrderAndSpelling) {
  const std::vector<std::string> arguments{"--top=5",  "a", "--not", "x",
                                           "--strict", "b", "--not", "y"};
  EXPECT_EQ(options_.parse(arguments), Options::Outcome::kRun);
  EXPECT_EQ(files_, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(unwanted_, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(top_, 5);
  EXPECT_TRUE(strict_);
}

TEST_F(OptionsTest, RefusesWhatDoesNotFit) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"a", "b", "c"},
                                             {"a", "--top"},
                                             {"a", "--top", "0"},
                                             {"a", "--top", "1x"},
                                             {"a", "--stric"},
                                             {"a", "-z"}}) {
    EXPECT_THROW(options_.parse(arguments), UsageError);
  }
}

TEST_F(OptionsTest, HelpKeepsToTheWidthGiven) {
  const auto page = options_.help(60);
  std::size_t begin = 0;
  while (begin < page.size()) {
    const auto end = page.find('\n', begin);
    EXPECT_LE(display_width(page.substr(begin, end - begin)), 60U);
    begin = end + 1;
  }
  EXPECT_NE(page.find("--top K"), std::string::npos);
}

}  // namespace
}  // namespace tandem::cli
