#include "preprocess/text_clean.h"

#include <gtest/gtest.h>

#include "preprocess/code_points.h"
#include "preprocess/html_unescape.h"
#include "preprocess/mojibake.h"
#include "preprocess/text_golden.h"
#include "preprocess/unicode.h"

namespace tandem {
namespace {

std::string clean(std::string_view text) { return utf8_of(clean_lower(text)); }

std::string fixed(std::string_view text) { return utf8_of(fix_text(code_points(text))); }

TEST(CleanLower, EqualsTheReferenceOnStringsOfAllScriptsAndDamages) {
  const std::vector<TextGolden> goldens = read_text_goldens("tokens.txt");
  ASSERT_GE(goldens.size(), 2000U);
  for (const TextGolden& golden : goldens)
    ASSERT_EQ(clean(golden.text), golden.clean) << golden.text;
}

TEST(CleanLower, MakesOneSpaceOfAnyWhiteSpaceAndNoneAtTheEnds) {
  EXPECT_EQ(clean("\t A  b\r\n\xE2\x80\x83\xE3\x80\x80"
                  "c\xC2\xA0"),
            "a b c");
}

TEST(CleanLower, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(clean("a\xFF"
                  "b"),
            "a\uFFFDb");
  EXPECT_EQ(clean("a\xE2\x82"), "a\uFFFD");                  // one cut sequence, one mark
  EXPECT_EQ(clean("\xED\xA0\x80z"), "\uFFFD\uFFFD\uFFFDz");  // a surrogate is no character
}

TEST(CleanLower, WritesASigmaAtAWordsEndAsTheFinalForm) {
  EXPECT_EQ(clean("ΟΔΥΣΣΕΥΣ ΣΑΣ."), "οδυσσευς σας.");
  EXPECT_EQ(clean("Σ ΑΣ\u0301Α"), "σ ασ\u0301α");
}

// The examples of ftfy's documentation.
TEST(FixText, RepairsTheExamplesOfItsReference) {
  EXPECT_EQ(fixed("âœ” No problems"), "✔ No problems");
  EXPECT_EQ(fixed("&macr;\\_(ã\u0083\u0084)_/&macr;"), "¯\\_(ツ)_/¯");
  EXPECT_EQ(fixed("Broken text&hellip; it&#x2019;s ﬂubberiﬁc!"), "Broken text… it's flubberific!");
  EXPECT_EQ(fixed("ＬＯＵＤ　ＮＯＩＳＥＳ"), "LOUD NOISES");
  EXPECT_EQ(fixed("P&EACUTE;REZ"), "PÉREZ");
  EXPECT_EQ(fixed("\x1B[36;44mI'm blue, da ba dee\x1B[0m"), "I'm blue, da ba dee");
  EXPECT_EQ(fixed("sÃ³"), "só");
  EXPECT_EQ(fixed("voilÃ le travail"), "voilà le travail");
}

TEST(FixText, LeavesReferencesOfHtmlAlone) {
  EXPECT_EQ(fixed("&eacute;\n<b>&eacute;\n&eacute;"), "é\n<b>&eacute;\n&eacute;");
}

TEST(FixText, EndsOnTextThatUnwrapsForever) {
  std::string chain = "&";
  while (chain.size() < 900'000) chain += "amp;";
  EXPECT_EQ(fixed(chain), "&");
}

TEST(HtmlUnescape, ReadsAsBrowsersDo) {
  const auto unescaped = [](std::string_view text) {
    return utf8_of(html_unescape(code_points(text)));
  };
  EXPECT_EQ(unescaped("&notit; &amp &#65 &#x80; &#xD800; &#1; &bogus;"),
            "¬it; & A € \uFFFD  &bogus;");
  EXPECT_EQ(unescaped("&NotEqualTilde;&fjlig;"), "\u2242\u0338fj");
  EXPECT_EQ(unescaped("&#" + std::string(10'000, '9') + ";"), "\uFFFD");
}

TEST(LooksBad, TellsMisreadTextFromMeantText) {
  EXPECT_TRUE(looks_bad(U"donâ€™t"));
  EXPECT_TRUE(looks_bad(U"Ð¿Ñ€Ð¸"));
  EXPECT_FALSE(looks_bad(U"L'été à la plage"));
  EXPECT_FALSE(looks_bad(U"привет"));
  EXPECT_FALSE(looks_bad(U""));
}

TEST(Nfc, ComposesAndOrdersMarks) {
  EXPECT_EQ(nfc(U"e\u0301"), U"\u00E9");
  EXPECT_EQ(nfc(U"a\u0301\u0323"), U"\u1EA1\u0301");
  EXPECT_EQ(nfc(U"\u1112\u1161\u11AB"), U"\uD55C");
  EXPECT_EQ(nfc(U"\u212B"), U"\u00C5");
  EXPECT_EQ(nfc(U"\u0958"), U"\u0915\u093C");  // excluded from composition
}

}  // namespace
}  // namespace tandem
