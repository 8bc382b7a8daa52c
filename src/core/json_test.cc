#include "core/json.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "core/error.h"
#include "core/rng.h"

namespace tandem::json {
namespace {

std::string message_of(std::string_view text) {
  try {
    parse(text, "x.json");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kCorrupt);
    return e.what();
  }
  return "accepted";
}

TEST(Json, NamesTheFileAndTheLineOfAnError) {
  EXPECT_EQ(message_of("{\n\"a\": 1,\n\"b\": }"),
            "x.json: line 3: syntax error. Expected strict JSON, at most 64 levels deep.");
}

TEST(Json, RefusesWhatStrictJsonRefuses) {
  const std::string_view kBad[] = {
      "",       "{",       "[1,]",        "{\"a\":1,}", "{'a':1}",      "nul",   "01",
      "1.",     ".5",      "+1",          "NaN",        "Infinity",     "[1] 2", "// c\n1",
      "\"\t\"", "\"\\x\"", "\"\\ud800\"", "\"\xff\"",   "\"\xc0\x80\"", "1e999", "\"a"};
  for (const std::string_view text : kBad) EXPECT_NE(message_of(text), "accepted") << text;
}

TEST(Json, RefusesADuplicateKeyAtAnyDepthAndNamesIt) {
  EXPECT_NE(message_of(R"({"a":1,"b":2,"a":3})").find("the key \"a\" appears twice"),
            std::string::npos);
  EXPECT_NE(message_of(R"([{"x":{"k":1,"k":1}}])").find("the key \"k\" appears twice"),
            std::string::npos);
  EXPECT_NE(message_of(R"({"ab":1,"\u0061b":3})"), "accepted") << "spelt differently, the same key";
  EXPECT_EQ(message_of(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]})"), "accepted");
}

TEST(Json, AcceptsSixtyFourLevelsAndRefusesSixtyFive) {
  EXPECT_EQ(message_of(std::string(64, '[') + std::string(64, ']')), "accepted");
  EXPECT_NE(message_of(std::string(65, '[') + std::string(65, ']')), "accepted");
  EXPECT_NE(message_of(std::string(1'000'000, '[')), "accepted");
}

TEST(Json, RefusesMoreValuesThanAllowed) {
  EXPECT_NO_THROW(parse("[1,2,3]", "x", 4));
  EXPECT_THROW(parse("[1,2,3,4]", "x", 4), Error);
}

TEST(Json, ReadsDoublesExactly) {
  // Both are off by one in the last bit in Boost 1.81's own conversion.
  EXPECT_EQ(parse("1.0868408203125e-05", "x").get_double(), 1.0868408203125e-05);
  EXPECT_EQ(parse("0.30000000000000004", "x").get_double(), 0.30000000000000004);
  EXPECT_EQ(parse("2.2250738585072014e-308", "x").get_double(), 2.2250738585072014e-308);
  EXPECT_EQ(parse("1e-400", "x").get_double(), 0.0);
  EXPECT_TRUE(parse("-0", "x").is_double());
}

TEST(Json, NumbersRoundTrip) {
  Rng rng(1);
  for (int i = 0; i < 20'000; ++i) {
    const double number = __builtin_bit_cast(double, rng.next());
    if (!std::isfinite(number)) continue;
    const value again = parse(dump(value(number)), "x");
    ASSERT_TRUE(again.is_double()) << dump(value(number));
    ASSERT_EQ(__builtin_bit_cast(std::uint64_t, again.get_double()),
              __builtin_bit_cast(std::uint64_t, number));
  }
  EXPECT_EQ(dump(parse("[1,-5,18446744073709551615,-9223372036854775808]", "x")),
            "[1,-5,18446744073709551615,-9223372036854775808]");
  EXPECT_EQ(dump(value(1.0)), "1.0");
  EXPECT_EQ(dump(value(std::numeric_limits<double>::infinity())), "null");
}

TEST(Json, WritesTextsThatAreValidJsonWhateverTheBytes) {
  EXPECT_EQ(dump(value("a\"\\\n\x1b\x7f/é")), R"("a\"\\\n\u001b\u007f/é")");
  EXPECT_EQ(dump(value("bad\xff\xc3")), "\"bad\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_EQ(dump(parse(R"("\ud83d\ude00\u0000")", "x")), "\"😀\\u0000\"");
}

TEST(Json, PrettyPutsOneKeyALineAndShortListsOnOne) {
  EXPECT_EQ(pretty(parse(R"({"a":[1,2],"b":{"c":"d"},"e":[],"f":{},"g":[{"h":1}]})", "x")),
            "{\n  \"a\": [1, 2],\n  \"b\": {\n    \"c\": \"d\"\n  },\n  \"e\": [],\n  \"f\": {},\n"
            "  \"g\": [\n    {\n      \"h\": 1\n    }\n  ]\n}");
}

template <typename Body>
std::string error_text(Body body) {
  try {
    body();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(JsonReader, GivesTypedValuesAndFallbacks) {
  const value v = parse(R"({"i":3,"d":2.5,"t":"x","b":true,"n":null,"o":{"k":[1]}})", "x");
  const Reader reader(v, "config.json");
  EXPECT_EQ(reader.integer("i"), 3);
  EXPECT_EQ(reader.number("i"), 3.0);
  EXPECT_EQ(reader.number("d"), 2.5);
  EXPECT_EQ(reader.text("t"), "x");
  EXPECT_TRUE(reader.boolean("b", false));
  EXPECT_EQ(reader.integer("n", 7), 7) << "null counts as absent";
  EXPECT_EQ(reader.text("none", "y"), "y");
  EXPECT_FALSE(reader.has("n"));
  EXPECT_EQ(reader.child("none"), std::nullopt);
  EXPECT_TRUE(reader.required_child("o").find("k")->is_array());
}

TEST(JsonReader, TakesUnsignedIntegersOfValuesMadeInMemory) {
  const value v = boost::json::object{{"u", std::uint64_t{9}}, {"big", ~std::uint64_t{0}}};
  const Reader reader(v, "made");
  EXPECT_EQ(reader.integer("u"), 9);
  EXPECT_NE(error_text([&] { reader.integer("big"); }).find("expected an integer"),
            std::string::npos);
}

TEST(JsonReader, ErrorsNameTheFileTheKeyPathAndTheExpectation) {
  const value v = parse(R"({"vision_cfg":{"width":"wide","deep":{"x":1.5}}})", "x");
  const Reader config(v, "config.json");
  const Reader vision = config.required_child("vision_cfg");
  EXPECT_EQ(error_text([&] { vision.integer("width"); }),
            "config.json: vision_cfg.width: expected an integer, but it is \"wide\".");
  EXPECT_EQ(error_text([&] { vision.required_child("deep").integer("x"); }),
            "config.json: vision_cfg.deep.x: expected an integer, but it is 1.5.");
  EXPECT_EQ(error_text([&] { config.integer("embed_dim"); }),
            "config.json: embed_dim: missing. Expected an integer.");
  EXPECT_EQ(error_text([&] { Reader(v.at("vision_cfg").at("width"), "config.json"); }),
            "config.json: expected an object, as in {\"key\": value}.");
}

TEST(JsonReader, RefusesUnknownKeysWithTheClosestKnownOne) {
  const value v = parse(R"({"steps":1,"lerning_rate":2})", "x");
  EXPECT_EQ(error_text([&] { Reader(v, "mini.json").refuse_unknown({"steps", "learning_rate"}); }),
            "mini.json: unknown key \"lerning_rate\" (closest: \"learning_rate\"). "
            "Expected some of: steps, learning_rate.");
  EXPECT_EQ(error_text([&] { Reader(v, "x").refuse_unknown({"steps", "lerning_rate"}); }),
            "no error");
}

}  // namespace
}  // namespace tandem::json
