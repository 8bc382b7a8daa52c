// JSON on Boost.JSON, with a depth limit and typed getters whose errors name the file and the key
// path.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::json {

using boost::json::array;
using boost::json::object;
using boost::json::value;

// Strict JSON, depth <= 64, duplicate keys and more than `max_values` values refused; doubles are
// read exactly. Throws kCorrupt with `name`, line and what was expected.
value parse(std::string_view text, const std::string& name, std::size_t max_values = 10'000'000);
value read(const std::filesystem::path& path);  // also kNotFound, kIo

// Compact and pretty (two spaces, one key a line) text. Numbers round-trip; infinities and NaN
// become null; bytes that are not UTF-8 become U+FFFD; control characters are escaped.
std::string dump(const value& v);
std::string pretty(const value& v);

// A view of an object that remembers where it is, so that errors read "config.json:
// vision_cfg.width: expected …".
class Reader {
 public:
  Reader(const value& v, std::string where);      // throws kCorrupt if v is not an object
  Reader(value&& v, std::string where) = delete;  // it would be gone; an object becomes one, too

  bool has(std::string_view key) const;  // present and not null
  std::int64_t integer(std::string_view key) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback) const;
  double number(std::string_view key) const;
  double number(std::string_view key, double fallback) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::string text(std::string_view key) const;
  std::string text(std::string_view key, std::string_view fallback) const;
  std::optional<Reader> child(std::string_view key) const;
  Reader required_child(std::string_view key) const;
  const value* find(std::string_view key) const;  // null when absent or null
  const object& raw() const { return *object_; }
  const std::string& where() const { return where_; }
  // Throws kInput listing keys that are not in `known` with the closest known name: for configs
  // people write by hand.
  void refuse_unknown(std::initializer_list<std::string_view> known) const;

 private:
  const object* object_;  // borrowed: the value given must outlive the reader
  std::string where_;
};

}  // namespace tandem::json
