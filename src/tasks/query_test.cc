#include "tasks/query.h"

#include <cmath>
#include <gtest/gtest.h>

#include "tandem/error.h"

namespace tandem {
namespace {

using Kind = QueryTerm::Kind;

QueryTerm words(std::string text, double weight = 1) {
  return {.text = std::move(text), .weight = weight};
}
QueryTerm picture(std::string name, std::optional<Region> region = {}, double weight = 1) {
  return {.kind = Kind::kPicture, .text = std::move(name), .region = region, .weight = weight};
}
QueryTerm item(std::int64_t id, double weight = 1) {
  return {.kind = Kind::kItem, .item = id, .weight = weight};
}

// What parse_query says of `text`.
std::string refusal(std::string_view text) {
  try {
    parse_query(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), tandem::Kind::kInput);
    return error.what();
  }
  return "accepted";
}

TEST(Query, ReadsTermsWithSignsAndWeights) {
  EXPECT_EQ(parse_query("sunset over the sea + [beach.jpg] - 2*people"),
            (Query{{words("sunset over the sea"), picture("beach.jpg"), words("people", -2)}}));
  EXPECT_EQ(parse_query("  a   cat "), (Query{{words("a cat")}}));
  EXPECT_EQ(parse_query("1.5 * a cat - dogs"), (Query{{words("a cat", 1.5), words("dogs", -0.5)}}));
  EXPECT_EQ(parse_query(".25*[#7] + 3"), (Query{{item(7, 0.25), words("3")}}));
  EXPECT_EQ(parse_query("- people + beach"), (Query{{words("people", -0.5), words("beach")}}));
  EXPECT_EQ(parse_query("-2*people + beach"), (Query{{words("people", -2), words("beach")}}));
  EXPECT_EQ(parse_query("-[#1] + beach"), (Query{{item(1, -0.5), words("beach")}}));
}

TEST(Query, HyphensPlusesStarsAndQuotesWithinWordsAreWords) {
  for (const char* text : {"t-shirt", "C++ book", "-5 degrees", "a+b", "rock 'n' roll",
                           "a 6\" pizza", "2.3.4*x", "five * six", "wi-fi -router", "a@b", "#7"})
    EXPECT_EQ(parse_query(text), (Query{{words(text)}})) << text;
}

TEST(Query, QuotedTextIsTakenAsItIs) {
  EXPECT_EQ(parse_query(R"("a  + b" - "say \"hi\" \\ [x]")"),
            (Query{{words("a  + b"), words(R"(say "hi" \ [x])", -0.5)}}));
}

TEST(Query, ReadsRegionsOfPictures) {
  EXPECT_EQ(parse_query("[beach.jpg @ 10,20,300,200]"),
            (Query{{picture("beach.jpg", Region{10, 20, 300, 200})}}));
  EXPECT_EQ(parse_query("[ a b.png @ 10%, 20.5%, 50%,25% ]"),
            (Query{{picture("a b.png", Region{10, 20.5, 50, 25, true})}}));
  EXPECT_EQ(parse_query(R"([me \@ home.jpg])"), (Query{{picture("me @ home.jpg")}}));
  EXPECT_EQ(parse_query(R"([\#7])"), (Query{{picture("#7")}}));
}

TEST(Query, RefusalsSayWhereAndWhatWasExpected) {
  EXPECT_EQ(refusal(""), "query \"\": expected words, \"a text\" or [a picture].");
  EXPECT_EQ(refusal("sunset + "),
            "query \"sunset + \": expected words, \"a text\" or [a picture] at its end.");
  EXPECT_EQ(refusal("é + + b"),
            "query \"é + + b\": expected words, \"a text\" or [a picture] at character 5.");
  EXPECT_EQ(refusal("sunset [beach.jpg]"),
            "query \"sunset [beach.jpg]\": expected \" + \" or \" - \" before [a picture] (in "
            "words: put the text in \"…\") at character 8.");
  EXPECT_EQ(refusal("[beach.jpg + x"),
            "query \"[beach.jpg + x\": expected a closing ] for the picture that begins at "
            "character 1.");
  EXPECT_NE(refusal("a + \"b").find("closing \""), std::string::npos);
  EXPECT_NE(refusal("sunset -2*people").find("between the sign and the weight at character 8"),
            std::string::npos);
  EXPECT_NE(refusal("0*a").find("weight above 0"), std::string::npos);
  EXPECT_NE(refusal("1001*a").find("weight above 0"), std::string::npos);
  EXPECT_NE(refusal("2*").find("at its end"), std::string::npos);
  EXPECT_NE(refusal("\"a\" b").find("before the next term"), std::string::npos);
  EXPECT_NE(refusal("[]").find("a picture's name"), std::string::npos);
  EXPECT_NE(refusal("[#x]").find("an item's number"), std::string::npos);
  EXPECT_NE(refusal("[#7 @ 1,2,3,4]").find("no region"), std::string::npos);
  for (const char* text : {"[a @ 1,2,3]", "[a @ 1,2,0,4]", "[a @ 1%,2,3,4]", "[a @ 1,2,3,4,5]",
                           "[a @ nan,2,3,4]", "[a @ 1,2,1e999,4]", "[a @ home.jpg]"})
    EXPECT_NE(refusal(text).find("expected a region as left,top"), std::string::npos) << text;
  std::string many = "a";
  for (int i = 0; i < 64; ++i) many += " + a";
  EXPECT_NE(refusal(many).find("at most 64 terms"), std::string::npos);
}

TEST(Query, TextReadsBackAsTheSameQuery) {
  const std::vector<QueryTerm> terms{words("a cat"),
                                     words("a  cat"),
                                     words("a + b", 0.3),
                                     words("-2*x", -0.5),
                                     words("2*x", -1),
                                     words("\"", 1e-7),
                                     words("back\\slash \\\" [x]"),
                                     words(" spaces "),
                                     words("[x"),
                                     words("- x"),
                                     words("\tx\n"),
                                     picture("beach.jpg", Region{1.25, -2, 1e6, 0.125}),
                                     picture("a] @ 1,2,3,4", {}, -2),
                                     picture("#7"),
                                     picture(" @ ", Region{0, 0, 50, 50, true}),
                                     picture("  two  "),
                                     picture(" "),
                                     picture("\\"),
                                     picture("\\ "),
                                     item(0),
                                     item(INT64_MAX, 1000)};
  for (const auto& one : terms) {
    const Query alone{{one}};
    EXPECT_EQ(parse_query(to_text(alone)), alone) << to_text(alone);
    const Query second{{words("x", -0.25), one, words("last")}};
    EXPECT_EQ(parse_query(to_text(second)), second) << to_text(second);
  }
  EXPECT_EQ(to_text(parse_query("2.0 * sunset  + [ a.jpg@x ] - 0.5*people")),
            R"(2*sunset + [a.jpg\@x] - people)");
}

// Texts are two-dimensional: "x" along the first axis, "y" along the second, "{…}" the diagonal.
QuerySources sources() {
  QuerySources all;
  all.texts = [](const std::vector<std::string>& texts) {
    Matrix vectors(texts.size(), 2);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      vectors.row(i)[0] = texts[i] == "x" ? 1.0F : 0.0F;
      vectors.row(i)[1] = texts[i] == "x" ? 0.0F : 1.0F;
    }
    return vectors;
  };
  all.picture = [](const std::string&, const std::optional<Region>& region) {
    return region ? std::vector<float>{0, -1} : std::vector<float>{-1, 0};
  };
  all.item = [](std::int64_t id) {
    return id == 1 ? std::vector<float>{0, 1} : std::vector<float>{1, 0, 0};
  };
  return all;
}

void expect_vector(const std::string& query, float x, float y,
                   const std::vector<std::string>& templates = {}) {
  const auto vector = query_vector(parse_query(query), sources(), templates).whole;
  ASSERT_EQ(vector.size(), 2U);
  EXPECT_NEAR(vector[0], x, 1e-6) << query;
  EXPECT_NEAR(vector[1], y, 1e-6) << query;
}

TEST(Query, VectorIsTheWeightedSumOfItsTerms) {
  const auto half = static_cast<float>(std::sqrt(0.5));
  expect_vector("x", 1, 0);
  expect_vector("x + y", half, half);
  expect_vector("x - 1*y", half, -half);
  expect_vector("x - y", 2 / std::sqrt(5.0F), -1 / std::sqrt(5.0F));
  expect_vector("2*x + [#1]", 2 / std::sqrt(5.0F), 1 / std::sqrt(5.0F));
  expect_vector("y + [a]", -half, half);
  expect_vector("x + [a @ 0,0,1,1]", half, -half);
  // "{}" filled with x is x, "a {}" is something else: the mean lies between.
  expect_vector("x", half, half, {"{}", "a {}"});
}

TEST(Query, VectorIsRefusedWhereNothingIsLeft) {
  const auto refuse = [](const Query& query) {
    try {
      query_vector(query, sources());
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_NE(refuse(parse_query("- x")).find("only what is unwanted"), std::string::npos);
  EXPECT_NE(refuse(parse_query("x + [a]")).find("cancels itself out"), std::string::npos);
  EXPECT_NE(refuse(parse_query("x + [#2]")).find("width 2 and 3"), std::string::npos);
  EXPECT_NE(refuse({{words("x", NAN)}}).find("weight"), std::string::npos);
  EXPECT_NE(refuse({{words("x", 0)}}).find("weight"), std::string::npos);
  EXPECT_NE(refuse({}).find("only what is unwanted"), std::string::npos);
  EXPECT_NE(refuse({std::vector<QueryTerm>(65, words("x"))}).find("65 terms"), std::string::npos);
}

TEST(Query, SaysWhatItIsMadeOf) {
  EXPECT_EQ(asked_by(parse_query("words + more")), Asked::kWords);
  EXPECT_EQ(asked_by(parse_query("words - [a]")), Asked::kWords);
  EXPECT_EQ(asked_by(parse_query("words + [#1] - more")), Asked::kWordsAndPictures);
  EXPECT_EQ(asked_by(parse_query("[#1] - words")), Asked::kPictures);
  EXPECT_EQ(asked_by(parse_query("[a @ 1,2,3,4]")), Asked::kWordsAndPictures);
}

TEST(Query, IsPictorialWhereNoWordsAreWanted) {
  EXPECT_TRUE(is_pictorial(parse_query("[a] + [#1 ] - words")));
  EXPECT_TRUE(is_pictorial(parse_query("[a @ 1,2,3,4]")));
  EXPECT_FALSE(is_pictorial(parse_query("[a] + words")));
  EXPECT_FALSE(is_pictorial(parse_query("words")));
}

}  // namespace
}  // namespace tandem
