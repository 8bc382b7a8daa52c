// Reading what strangers send as JSON: every error is an HttpError 400 that names the place, as in
// "terms[2].weight: expected a number from -100 to 100, but it is true.".
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "serve/message.h"

namespace tandem::serve {

enum class ContentType {
  kJson,  // application/json, or none named; others are 415
  kAny,   // whatever a client says it sends
};

// The body as an object: strict JSON in UTF-8, at most 64 deep and 100,000 values, no key twice.
json::value parse_body(const Request& request, ContentType type = ContentType::kJson);

// 400 "invalid_request" about the place `param`; message: what was expected there.
[[noreturn]] void refuse(const std::string& param, const std::string& message);

struct IntegerRange {
  std::int64_t least = std::numeric_limits<std::int64_t>::min();
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
};
struct NumberRange {
  double least = std::numeric_limits<double>::lowest();
  double most = std::numeric_limits<double>::max();
};

// A view of an object and of where it is. A key that is null counts as absent.
class BodyReader {
 public:
  BodyReader(const json::value& v, std::string where = "");  // "terms[2]"; borrowed

  const json::value* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }
  std::string place(std::string_view key) const;  // "terms[2].weight"

  std::optional<std::string> text(std::string_view key) const;
  std::string required_text(std::string_view key) const;
  std::optional<std::int64_t> integer(std::string_view key, IntegerRange range = {}) const;
  std::optional<double> number(std::string_view key, NumberRange range = {}) const;
  bool boolean(std::string_view key, bool fallback) const;
  // The place of the text among `choices`; nothing when absent.
  std::optional<std::size_t> choice(std::string_view key,
                                    std::initializer_list<std::string_view> choices) const;
  // Null when absent.
  const json::array* list(std::string_view key) const;
  // A list of texts; empty when absent.
  std::vector<std::string> texts(std::string_view key) const;
  // Names the first key that is not known, and the closest known one.
  void refuse_unknown(std::initializer_list<std::string_view> known) const;

 private:
  [[noreturn]] void wrong(std::string_view key, const std::string& expected) const;
  const json::object* object_;
  std::string where_;
};

// Of one value at `place`.
std::string text_at(const json::value& v, const std::string& place);
std::int64_t integer_at(const json::value& v, const std::string& place, IntegerRange range = {});

// Parameters of the query, "?limit=5".
std::int64_t query_integer(const Request& request, const std::string& name, std::int64_t fallback,
                           IntegerRange range);
std::string query_text(const Request& request, const std::string& name);  // empty when absent
// A captured id of the path; what is no integer is 404, as nothing has it.
std::int64_t path_id(const Request& request);

}  // namespace tandem::serve
