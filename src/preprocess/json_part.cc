#include "preprocess/json_part.h"

#include <limits>

#include "core/error.h"
#include "preprocess/code_points.h"

namespace tandem {

JsonPart::JsonPart(const json::value& v, std::string where)
    : object_(v.if_object()), where_(std::move(where)) {
  if (object_ == nullptr) throw Error(Kind::kCorrupt, where_ + ": expected an object.");
}

void JsonPart::corrupt(std::string_view key, const std::string& expected) const {
  throw Error(Kind::kCorrupt, where_ + "." + std::string(key) + ": expected " + expected + ".");
}

void JsonPart::unsupported(const std::string& what) const {
  throw Error(Kind::kUnsupported, where_ + ": " + what);
}

bool JsonPart::has(std::string_view key) const {
  const json::value* v = object_->if_contains(key);
  return v != nullptr && !v->is_null();
}

const json::value& JsonPart::required(std::string_view key) const {
  const json::value* v = object_->if_contains(key);
  if (v == nullptr) corrupt(key, "a value");
  return *v;
}

std::string JsonPart::text(std::string_view key) const {
  const json::value& v = required(key);
  if (!v.is_string()) corrupt(key, "a text");
  return std::string(v.get_string());
}

std::string JsonPart::text(std::string_view key, std::string_view fallback) const {
  return has(key) ? text(key) : std::string(fallback);
}

bool JsonPart::boolean(std::string_view key) const {
  const json::value& v = required(key);
  if (!v.is_bool()) corrupt(key, "true or false");
  return v.get_bool();
}

bool JsonPart::boolean(std::string_view key, bool fallback) const {
  return object_->if_contains(key) == nullptr ? fallback : boolean(key);
}

std::int32_t JsonPart::id(std::string_view key) const {
  const auto id = json_id(required(key));
  if (!id) corrupt(key, "a number from 0 to 2147483647");
  return *id;
}

std::optional<std::int32_t> JsonPart::optional_id(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  return id(key);
}

JsonPart JsonPart::part(std::string_view key) const {
  return JsonPart(required(key), where_ + "." + std::string(key));
}

std::vector<JsonPart> JsonPart::parts(std::string_view key) const {
  std::vector<JsonPart> out;
  const json::array& values = array(key);
  for (std::size_t i = 0; i < values.size(); ++i) {
    out.emplace_back(values[i], where_ + "." + std::string(key) + "[" + std::to_string(i) + "]");
  }
  return out;
}

const json::array& JsonPart::array(std::string_view key) const {
  const json::value& v = required(key);
  if (!v.is_array()) corrupt(key, "a list");
  return v.get_array();
}

const json::object& JsonPart::object(std::string_view key) const {
  const json::value& v = required(key);
  if (!v.is_object()) corrupt(key, "an object");
  return v.get_object();
}

std::string JsonPart::only_key() const {
  if (object_->size() != 1) throw Error(Kind::kCorrupt, where_ + ": expected one key.");
  return std::string(object_->begin()->key());
}

char32_t JsonPart::character(std::string_view key) const {
  const std::u32string characters = code_points(text(key));
  if (characters.size() != 1) corrupt(key, "one character");
  return characters[0];
}

std::optional<std::int32_t> json_id(const json::value& v) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (!v.is_int64() || v.get_int64() < 0 || v.get_int64() > kMost) return std::nullopt;
  return static_cast<std::int32_t>(v.get_int64());
}

}  // namespace tandem
