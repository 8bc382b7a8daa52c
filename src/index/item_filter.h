// A condition on items as callers from outside state it: a small tree, never text of a database's
// language. Each store compiles it to its own, with bound values.
//   {"width": {"gte": 500}, "caption": {"contains": "cat"}}      all must hold
//   {"or": [{"metadata.tag": "x"}, {"not": {"kind": "text"}}]}
//   {"mtime": {"gte": "2024-05-01", "lt": "2024-06-01"}}
//   operators: eq ne in gt gte lt lte exists prefix contains; a plain value means eq, null that
//   there is none; "and" and "or" take lists, "not" a condition
// Fields: id, kind, uri, sha256, size_bytes, mtime, width, height, caption, metadata.KEY[.KEY…].
// mtime takes ISO dates ("2024-05-01", "2024-05-01T12:00:00Z", UTC) or nanoseconds since 1970.
// Metadata compare by type: true never equals 1, "1" never 1; lists and objects only exist. prefix
// and contains hold for texts only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/json.h"
#include "index/item.h"

namespace tandem {

struct ItemFilter {
  using Value = std::variant<bool, std::int64_t, double, std::string>;
  enum class Op { kAnd, kOr, kNot, kEqual, kIn, kRange, kExists, kPrefix, kContains };
  struct Bound {
    Value value;
    bool inclusive = true;
  };

  Op op = Op::kAnd;
  std::vector<ItemFilter> children;  // kAnd, kOr: any number (none: true, false); kNot: one
  std::string column;                // "width", "mtime", "metadata", …; others than kAnd, kOr, kNot
  std::vector<std::string> keys;     // column "metadata": the path within, at least one
  std::vector<Value> values;         // kEqual, kPrefix, kContains: one; kIn: any number
  std::optional<Bound> least;        // kRange: at least one of the two
  std::optional<Bound> most;
};

// Throws kInput saying where and what was expected. At most 64 deep, 1,000 conditions and 10,000
// values.
ItemFilter parse_item_filter(const json::value& tree);
ItemFilter parse_item_filter(std::string_view text);

// A condition of SQLite over the table items with ? for each value. Each condition in it is true or
// false, never NULL, so that "not" turns it around.
struct BoundSql {
  std::string sql;
  std::vector<ItemFilter::Value> values;
};
BoundSql to_sql(const ItemFilter& filter);

// The same, decided here: what stores that cannot filter by it are filtered with afterwards. Texts
// compare as SQLite does: prefix and contains ignore the case of ASCII letters, eq does not.
bool matches(const ItemFilter& filter, const Item& item);

}  // namespace tandem
