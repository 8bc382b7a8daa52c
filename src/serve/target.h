// The parts of a request's target: path, query, percent-encoding.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::serve {

// %41 → A; where spaces_as_plus, + → space (queries). Nothing when an escape is broken or stands
// for NUL.
enum class Plus { kPlus, kSpace };
std::optional<std::string> percent_decoded(std::string_view text, Plus plus);

struct Target {
  std::string host;                          // of "GET http://host/path", else empty
  std::string path;                          // "/v1/items/7", not decoded; "*" of OPTIONS
  std::map<std::string, std::string> query;  // decoded; the last of equal names
};

// Nothing when it is neither "/path?query", "http://host/path?query" nor "*", when an escape is
// broken, or when the query has more than 100 parts. A fragment does not belong there.
std::optional<Target> parse_target(std::string_view target);

}  // namespace tandem::serve
