#include "serve/body_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <span>
#include <utility>

#include "tandem/error.h"

#include "core/closest.h"

namespace tandem::serve {
namespace {

constexpr std::size_t kMostValues = 100'000;
constexpr std::size_t kMostShown = 60;  // bytes of a wrong value in a message

std::string shown(const json::value& v) {
  if (v.is_object()) return "an object";
  if (v.is_array()) return "a list";
  std::string text = json::dump(v);
  if (text.size() > kMostShown) return v.is_string() ? "a longer text" : "a longer number";
  return text;
}

[[noreturn]] void wrong_value(const std::string& place, const std::string& expected,
                              const json::value* got) {
  if (got == nullptr) refuse(place, fmt::format("{}: missing. Expected {}.", place, expected));
  refuse(place, fmt::format("{}: expected {}, but it is {}.", place, expected, shown(*got)));
}

// 5, and 5.0 too: JSON does not tell them apart.
std::optional<std::int64_t> whole(const json::value& v) {
  constexpr double kExact = 9'007'199'254'740'992.0;  // 2^53: doubles are exact up to here
  if (v.is_int64()) return v.get_int64();
  if (v.is_uint64() && std::in_range<std::int64_t>(v.get_uint64()))
    return static_cast<std::int64_t>(v.get_uint64());
  if (v.is_double() && std::abs(v.get_double()) <= kExact &&
      v.get_double() == std::floor(v.get_double()))
    return static_cast<std::int64_t>(v.get_double());
  return std::nullopt;
}

std::optional<double> number_of(const json::value& v) {
  if (v.is_double()) return v.get_double();
  if (v.is_int64()) return static_cast<double>(v.get_int64());
  if (v.is_uint64()) return static_cast<double>(v.get_uint64());
  return std::nullopt;
}

std::string described(IntegerRange range) {
  const bool low = range.least != IntegerRange{}.least;
  const bool high = range.most != IntegerRange{}.most;
  if (low && high) return fmt::format("an integer from {} to {}", range.least, range.most);
  if (low) return fmt::format("an integer of at least {}", range.least);
  return "an integer";
}

std::string described(NumberRange range) {
  if (range.least == NumberRange{}.least && range.most == NumberRange{}.most) return "a number";
  return fmt::format("a number from {} to {}", range.least, range.most);
}

std::string joined(std::initializer_list<std::string_view> choices) {
  std::string text;
  for (const std::string_view choice : choices) {
    if (!text.empty()) text += choice == *(choices.end() - 1) ? " or " : ", ";
    text += fmt::format("\"{}\"", choice);
  }
  return text;
}

void check_content_type(const Request& request) {
  const std::string given = request.header("content-type");
  std::string type = given.substr(0, given.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  });
  if (type.empty() || type == "application/json") return;
  throw HttpError(415, "unsupported_media_type",
                  "Content-Type: expected application/json for this route.");
}

}  // namespace

json::value parse_body(const Request& request, ContentType type) {
  if (type == ContentType::kJson) check_content_type(request);
  json::value body;
  try {
    body = json::parse(request.body, "body", kMostValues);
  } catch (const Error& error) {
    throw HttpError(400, "invalid_request", error.what());
  }
  if (!body.is_object())
    throw HttpError(400, "invalid_request",
                    fmt::format("body: expected an object, but it is {}.", shown(body)));
  return body;
}

void refuse(const std::string& param, const std::string& message) {
  throw HttpError(400, "invalid_request", message, param);
}

BodyReader::BodyReader(const json::value& v, std::string where)
    : object_(v.if_object()), where_(std::move(where)) {
  if (object_ == nullptr) wrong_value(where_, "an object", &v);
}

const json::value* BodyReader::find(std::string_view key) const {
  const auto found = object_->find(key);
  return found == object_->end() || found->value().is_null() ? nullptr : &found->value();
}

std::string BodyReader::place(std::string_view key) const {
  return where_.empty() ? std::string(key) : fmt::format("{}.{}", where_, key);
}

std::optional<std::string> BodyReader::text(std::string_view key) const {
  const json::value* v = find(key);
  if (v == nullptr) return std::nullopt;
  return text_at(*v, place(key));
}

std::string BodyReader::required_text(std::string_view key) const {
  if (!has(key)) wrong(key, "a text");
  return *text(key);
}

std::optional<std::int64_t> BodyReader::integer(std::string_view key, IntegerRange range) const {
  const json::value* v = find(key);
  if (v == nullptr) return std::nullopt;
  return integer_at(*v, place(key), range);
}

std::optional<double> BodyReader::number(std::string_view key, NumberRange range) const {
  const json::value* v = find(key);
  if (v == nullptr) return std::nullopt;
  const auto number = number_of(*v);
  if (!number || *number < range.least || *number > range.most) wrong(key, described(range));
  return number;
}

bool BodyReader::boolean(std::string_view key, bool fallback) const {
  const json::value* v = find(key);
  if (v == nullptr) return fallback;
  if (!v->is_bool()) wrong(key, "true or false");
  return v->get_bool();
}

std::optional<std::size_t> BodyReader::choice(
    std::string_view key, std::initializer_list<std::string_view> choices) const {
  const json::value* v = find(key);
  if (v == nullptr) return std::nullopt;
  const std::string given = v->is_string() ? text_at(*v, place(key)) : std::string();
  const auto* found = std::find(choices.begin(), choices.end(), given);
  if (found == choices.end()) wrong(key, joined(choices));
  return static_cast<std::size_t>(found - choices.begin());
}

const json::array* BodyReader::list(std::string_view key) const {
  const json::value* v = find(key);
  if (v == nullptr) return nullptr;
  if (!v->is_array()) wrong(key, "a list");
  return &v->get_array();
}

std::vector<std::string> BodyReader::texts(std::string_view key) const {
  std::vector<std::string> out;
  const json::array* values = list(key);
  if (values == nullptr) return out;
  for (const json::value& v : *values)
    out.push_back(text_at(v, fmt::format("{}[{}]", place(key), out.size())));
  return out;
}

void BodyReader::refuse_unknown(std::initializer_list<std::string_view> known) const {
  for (const auto& member : *object_) {
    const std::string_view key(member.key().data(), member.key().size());
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string near(
        closest(key.substr(0, kMostShown), std::span(known.begin(), known.size())));
    const std::string name = place(key.substr(0, kMostShown));
    refuse(name, near.empty() ? fmt::format("{}: not known here.", name)
                              : fmt::format("{}: not known here. Closest: {}.", name, near));
  }
}

void BodyReader::wrong(std::string_view key, const std::string& expected) const {
  wrong_value(place(key), expected, find(key));
}

std::string text_at(const json::value& v, const std::string& place) {
  if (!v.is_string()) wrong_value(place, "a text", &v);
  return {v.get_string().data(), v.get_string().size()};
}

std::int64_t integer_at(const json::value& v, const std::string& place, IntegerRange range) {
  const auto number = whole(v);
  if (!number || *number < range.least || *number > range.most)
    wrong_value(place, described(range), &v);
  return *number;
}

namespace {

std::optional<std::int64_t> integer_of(const std::string& text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, number);
  if (failure != std::errc() || stop != end) return std::nullopt;
  return number;
}

}  // namespace

std::int64_t query_integer(const Request& request, const std::string& name, std::int64_t fallback,
                           IntegerRange range) {
  const auto given = request.query.find(name);
  if (given == request.query.end() || given->second.empty()) return fallback;
  const auto number = integer_of(given->second);
  if (!number || *number < range.least || *number > range.most)
    refuse(name, fmt::format("{}: expected {}.", name, described(range)));
  return *number;
}

std::string query_text(const Request& request, const std::string& name) {
  const auto given = request.query.find(name);
  return given == request.query.end() ? std::string() : given->second;
}

std::int64_t path_id(const Request& request) {
  const auto found = request.captures.find("id");
  const auto number = found == request.captures.end() ? std::nullopt : integer_of(found->second);
  if (!number) throw HttpError(404, "item_not_found", "No item has this id.", "id");
  return *number;
}

}  // namespace tandem::serve
