// A part of tokenizer.json: an object read as strictly as Hugging Face's tokenizers reads it, with
// errors that name the place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace tandem {

// Borrows the value, which must outlive it. Every getter throws kCorrupt naming file and key.
class JsonPart {
 public:
  JsonPart(const json::value& v, std::string where);

  const std::string& where() const { return where_; }
  std::string type() const { return text("type"); }

  bool has(std::string_view key) const;  // present and not null
  const json::value& required(std::string_view key) const;

  std::string text(std::string_view key) const;
  std::string text(std::string_view key, std::string_view fallback) const;  // absent or null
  bool boolean(std::string_view key) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::int32_t id(std::string_view key) const;  // 0 to 2^31 - 1
  std::optional<std::int32_t> optional_id(std::string_view key) const;
  JsonPart part(std::string_view key) const;
  std::vector<JsonPart> parts(std::string_view key) const;  // an array of objects
  const json::array& array(std::string_view key) const;
  const json::object& object(std::string_view key) const;
  // The one key of an object that stands for a choice. Throws kCorrupt if there are more or none.
  std::string only_key() const;
  const json::object& raw() const { return *object_; }
  // A text of exactly one character.
  char32_t character(std::string_view key) const;

  [[noreturn]] void corrupt(std::string_view key, const std::string& expected) const;
  [[noreturn]] void unsupported(const std::string& what) const;

 private:
  const json::object* object_;
  std::string where_;
};

// An id as tokenizer.json has them; nothing if `v` is not an integer from 0 to 2^31 - 1.
std::optional<std::int32_t> json_id(const json::value& v);

}  // namespace tandem
