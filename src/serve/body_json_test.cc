#include "serve/body_json.h"

#include <gtest/gtest.h>

#include "serve/answer_json.h"

namespace tandem::serve {
namespace {

Request post(std::string body, const std::string& type = "application/json") {
  Request request;
  request.method = "POST";
  request.body = std::move(body);
  if (!type.empty()) request.headers["content-type"] = type;
  return request;
}

template <typename Read>
std::string refusal(const Read& read) {
  try {
    read();
  } catch (const HttpError& error) {
    return std::to_string(error.status()) + " " + error.param().value_or("-") + " " + error.what();
  }
  return "";
}

TEST(BodyJson, IsStrictJsonOfTheRightTypeOnly) {
  EXPECT_NO_THROW(parse_body(post("{}", "Application/JSON ; charset=utf-8")));
  EXPECT_NO_THROW(parse_body(post("{}", "")));
  EXPECT_NO_THROW(parse_body(post("{}", "text/plain"), ContentType::kAny));
  EXPECT_EQ(refusal([] { parse_body(post("{}", "text/plain")); }).substr(0, 3), "415");
  for (const char* body : {"", "[]", "1", "{\"a\":NaN}", "{\"a\":1,\"a\":2}", "{\"a\":1}x",
                           "{\"a\":\"\xff\"}", "{\"a\":1e999}", "{'a':1}"})
    EXPECT_EQ(refusal([&] { parse_body(post(body)); }).substr(0, 3), "400") << body;
  EXPECT_EQ(refusal([] { parse_body(post("{\"a\":" + std::string(70, '['))); }).substr(0, 3),
            "400");
}

TEST(BodyJson, ErrorsNameThePlaceAndWhatWasExpected) {
  const auto body = parse_body(post(R"({"a":true,"b":[1],"c":5.5,"d":"x","e":{"f":9},"n":null})"));
  const BodyReader reader(body);
  EXPECT_EQ(refusal([&] { reader.text("a"); }), "400 a a: expected a text, but it is true.");
  EXPECT_EQ(refusal([&] { reader.texts("b"); }), "400 b[0] b[0]: expected a text, but it is 1.");
  EXPECT_EQ(refusal([&] { reader.integer("c", {1, 9}); }),
            "400 c c: expected an integer from 1 to 9, but it is 5.5.");
  EXPECT_EQ(refusal([&] { reader.choice("d", {"p", "q", "r"}); }),
            "400 d d: expected \"p\", \"q\" or \"r\", but it is \"x\".");
  EXPECT_EQ(refusal([&] { reader.required_text("n"); }), "400 n n: missing. Expected a text.");
  const BodyReader inner(*reader.find("e"), "e");
  EXPECT_EQ(refusal([&] { inner.number("f", {0, 1}); }),
            "400 e.f e.f: expected a number from 0 to 1, but it is 9.");
  EXPECT_EQ(refusal([&] { inner.refuse_unknown({"ff", "g"}); }),
            "400 e.f e.f: not known here. Closest: ff.");
  EXPECT_EQ(refusal([&] { BodyReader(*reader.find("b"), "b"); }),
            "400 b b: expected an object, but it is a list.");
}

TEST(BodyJson, ReadsValuesAndTakesNullForAbsent) {
  const auto body =
      parse_body(post(R"({"i":7,"w":7.0,"n":null,"x":0.25,"s":["a","b"],"f":false})"));
  const BodyReader reader(body);
  EXPECT_EQ(reader.integer("i"), 7);
  EXPECT_EQ(reader.integer("w"), 7);
  EXPECT_EQ(reader.number("i"), 7.0);
  EXPECT_EQ(reader.number("x"), 0.25);
  EXPECT_EQ(reader.text("n"), std::nullopt);
  EXPECT_EQ(reader.texts("s"), (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(reader.boolean("f", true));
  EXPECT_TRUE(reader.boolean("missing", true));
}

TEST(BodyJson, ReadsTheQueryString) {
  Request request;
  request.query = {{"limit", "12"}, {"bad", "1x"}};
  EXPECT_EQ(query_integer(request, "limit", 5, {1, 100}), 12);
  EXPECT_EQ(query_integer(request, "none", 5, {1, 100}), 5);
  EXPECT_EQ(refusal([&] { query_integer(request, "bad", 5, {1, 100}); }),
            "400 bad bad: expected an integer from 1 to 100.");
  EXPECT_EQ(refusal([&] { query_integer(request, "limit", 5, {1, 10}); }).substr(0, 9),
            "400 limit");
}

TEST(AnswerJson, WritesNumbersThatReadBack) {
  std::string out;
  const float values[] = {1.0F, 0.1F, -1.17549435e-38F, 16'777'216.0F, 0.0F};
  append_numbers(out, values);
  EXPECT_EQ(out, "[1,0.1,-1.1754944e-38,16777216,0]");
  EXPECT_EQ(json::dump(json::value(numbers_json(std::span(values).first(2)))), "[1.0,0.1]");
  const auto read = json::parse(out, "numbers").as_array();
  for (std::size_t i = 0; i < std::size(values); ++i)
    EXPECT_EQ(static_cast<float>(read[i].to_number<double>()), values[i]);
  out.clear();
  append_text(out, "a\"\n\xff");
  EXPECT_EQ(out, "\"a\\\"\\n\xef\xbf\xbd\"");
}

TEST(AnswerJson, EncodesBase64) {
  const std::string text = "Man";
  const auto bytes = std::as_bytes(std::span(text));
  EXPECT_EQ(base64(bytes), "TWFu");
  EXPECT_EQ(base64(bytes.first(2)), "TWE=");
  EXPECT_EQ(base64(bytes.first(1)), "TQ==");
  EXPECT_EQ(base64(bytes.first(0)), "");
  const float one[] = {1.0F};
  EXPECT_EQ(base64(std::span<const float>(one)), "AACAPw==");
}

TEST(AnswerJson, WritesTimes) {
  EXPECT_EQ(iso_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(iso_time(1'714'564'800'999'999'999), "2024-05-01T12:00:00Z");
  EXPECT_EQ(iso_time(-1), "1969-12-31T23:59:59Z");
}

}  // namespace
}  // namespace tandem::serve
