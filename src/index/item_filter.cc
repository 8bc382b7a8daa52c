#include "index/item_filter.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <fmt/format.h>

#include "core/error.h"
#include "index/iso_time.h"

namespace tandem {
namespace {

using Op = ItemFilter::Op;
using Value = ItemFilter::Value;

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxConditions = 1'000;
constexpr std::size_t kMaxValues = 10'000;
constexpr std::size_t kMaxKeys = 16;
constexpr std::size_t kMaxTextBytes = 100'000;

enum class ColumnType { kNumber, kTime, kText };

struct Column {
  std::string_view name;
  ColumnType type;
};

constexpr std::array<Column, 9> kColumns = {{{"id", ColumnType::kNumber},
                                             {"kind", ColumnType::kText},
                                             {"uri", ColumnType::kText},
                                             {"sha256", ColumnType::kText},
                                             {"size_bytes", ColumnType::kNumber},
                                             {"mtime", ColumnType::kTime},
                                             {"width", ColumnType::kNumber},
                                             {"height", ColumnType::kNumber},
                                             {"caption", ColumnType::kText}}};

constexpr std::string_view kFieldsExpected =
    "id, kind, uri, sha256, size_bytes, mtime, width, height, caption, metadata.KEY";
constexpr std::string_view kOperatorsExpected =
    "eq, ne, in, gt, gte, lt, lte, exists, prefix, contains";

ItemFilter leaf(Op op, const ItemFilter& field) {
  ItemFilter filter;
  filter.op = op;
  filter.column = field.column;
  filter.keys = field.keys;
  return filter;
}

ItemFilter negated(ItemFilter filter) {
  ItemFilter result;
  result.op = Op::kNot;
  result.children.push_back(std::move(filter));
  return result;
}

// One condition is itself; several must all hold.
ItemFilter joined(std::vector<ItemFilter> children) {
  if (children.size() == 1) return std::move(children.front());
  ItemFilter result;
  result.children = std::move(children);
  return result;
}

class Parser {
 public:
  ItemFilter parse(const json::value& tree, const std::string& where, int depth) {
    if (depth > kMaxDepth) throw wrong(where, fmt::format("more than {} levels", kMaxDepth));
    const auto* object = tree.if_object();
    if (object == nullptr) throw wrong(where, "expected an object, as {\"width\": {\"gte\": 500}}");
    std::vector<ItemFilter> children;
    for (const auto& [name, value] : *object) {
      const std::string key(name);
      const std::string at = where + "." + key;
      if (key == "and" || key == "or") {
        children.push_back(list(value, at, key == "and" ? Op::kAnd : Op::kOr, depth));
      } else if (key == "not") {
        children.push_back(negated(parse(value, at, depth + 1)));
      } else {
        children.push_back(field(field_of(key, at), value, at));
      }
    }
    return joined(std::move(children));
  }

 private:
  static Error wrong(const std::string& where, std::string_view what) {
    return Error(Kind::kInput, fmt::format("{}: {}.", where.substr(0, 200), what));
  }

  ItemFilter list(const json::value& tree, const std::string& where, Op op, int depth) {
    const auto* array = tree.if_array();
    if (array == nullptr) throw wrong(where, "expected a list of conditions");
    ItemFilter result;
    result.op = op;
    for (std::size_t i = 0; i < array->size(); ++i)
      result.children.push_back(parse((*array)[i], fmt::format("{}[{}]", where, i), depth + 1));
    return result;
  }

  static ItemFilter field_of(const std::string& name, const std::string& where) {
    ItemFilter field;
    const auto known = [&](const Column& column) { return column.name == name; };
    if (std::any_of(kColumns.begin(), kColumns.end(), known)) {
      field.column = name;
      return field;
    }
    constexpr std::string_view kPrefix = "metadata.";
    if (!name.starts_with(kPrefix))
      throw wrong(where, fmt::format("not a field. Expected one of {}", kFieldsExpected));
    field.column = "metadata";
    for (std::size_t at = kPrefix.size(); at <= name.size();) {
      const std::size_t end = std::min(name.find('.', at), name.size());
      field.keys.push_back(name.substr(at, end - at));
      at = end + 1;
    }
    // SQLite compares a key with JSON text as it is written, so what is escaped there cannot be
    // asked for.
    for (const std::string& key : field.keys) {
      const auto odd = [](char c) { return c == '"' || c == '\\' || (c >= 0 && c < 0x20); };
      if (key.empty() || std::any_of(key.begin(), key.end(), odd))
        throw wrong(where,
                    "expected keys of metadata, not empty, without quotes, \\ and control "
                    "characters");
    }
    if (field.keys.size() > kMaxKeys)
      throw wrong(where, fmt::format("more than {} keys", kMaxKeys));
    return field;
  }

  ItemFilter field(const ItemFilter& field, const json::value& tree, const std::string& where) {
    const auto* object = tree.if_object();
    if (object == nullptr) return equal(field, tree, where);
    if (object->empty()) throw wrong(where, fmt::format("expected one of {}", kOperatorsExpected));
    std::vector<ItemFilter> children;
    ItemFilter range = leaf(Op::kRange, field);
    for (const auto& [name, value] : *object) {
      const std::string at = where + "." + std::string(name);
      if (name == "gt" || name == "gte") {
        bound(range.least, field, value, at, name == "gte");
      } else if (name == "lt" || name == "lte") {
        bound(range.most, field, value, at, name == "lte");
      } else {
        children.push_back(operation(name, field, value, at));
      }
    }
    if (range.least || range.most) {
      if (range.least && range.most && is_text(range.least->value) != is_text(range.most->value))
        throw wrong(where, "expected both bounds to be numbers, or both texts");
      count(where);
      children.push_back(std::move(range));
    }
    return joined(std::move(children));
  }

  ItemFilter operation(std::string_view name, const ItemFilter& field, const json::value& value,
                       const std::string& where) {
    if (name == "eq") return equal(field, value, where);
    if (name == "ne") return negated(equal(field, value, where));
    if (name == "in") return in(field, value, where);
    if (name == "exists") {
      if (!value.is_bool()) throw wrong(where, "expected true or false");
      ItemFilter exists = exists_of(field, where);
      return value.as_bool() ? exists : negated(std::move(exists));
    }
    if (name == "prefix" || name == "contains") {
      if (!value.is_string() || (field.column != "metadata" && type_of(field) != ColumnType::kText))
        throw wrong(where, "expected a text, for a field of texts");
      ItemFilter result = leaf(name == "prefix" ? Op::kPrefix : Op::kContains, field);
      result.values.push_back(value_of(field, value, where));
      count(where);
      return result;
    }
    throw wrong(where, fmt::format("not an operator. Expected one of {}", kOperatorsExpected));
  }

  ItemFilter equal(const ItemFilter& field, const json::value& value, const std::string& where) {
    if (value.is_null()) return negated(exists_of(field, where));
    ItemFilter result = leaf(Op::kEqual, field);
    result.values.push_back(value_of(field, value, where));
    count(where);
    return result;
  }

  ItemFilter in(const ItemFilter& field, const json::value& tree, const std::string& where) {
    const auto* array = tree.if_array();
    if (array == nullptr) throw wrong(where, "expected a list of values");
    ItemFilter result = leaf(Op::kIn, field);
    for (const json::value& value : *array) result.values.push_back(value_of(field, value, where));
    count(where);
    return result;
  }

  ItemFilter exists_of(const ItemFilter& field, const std::string& where) {
    count(where);
    return leaf(Op::kExists, field);
  }

  void bound(std::optional<ItemFilter::Bound>& into, const ItemFilter& field,
             const json::value& tree, const std::string& where, bool inclusive) {
    if (into) throw wrong(where, "the same side is bounded twice");
    Value value = value_of(field, tree, where);
    if (std::holds_alternative<bool>(value)) throw wrong(where, "expected a number or a text");
    into = ItemFilter::Bound{std::move(value), inclusive};
  }

  static bool is_text(const Value& value) { return std::holds_alternative<std::string>(value); }

  static ColumnType type_of(const ItemFilter& field) {
    const auto is_it = [&](const Column& column) { return column.name == field.column; };
    return std::find_if(kColumns.begin(), kColumns.end(), is_it)->type;
  }

  Value value_of(const ItemFilter& field, const json::value& tree, const std::string& where) {
    if (++values_ > kMaxValues) throw wrong(where, fmt::format("more than {} values", kMaxValues));
    const Value value = plain(tree, where);
    if (field.column == "metadata") return value;
    switch (type_of(field)) {
      case ColumnType::kText:
        if (!is_text(value)) throw wrong(where, "expected a text");
        return value;
      case ColumnType::kTime:
        if (is_text(value)) return time_of(std::get<std::string>(value), where);
        [[fallthrough]];
      case ColumnType::kNumber:
        if (is_text(value) || std::holds_alternative<bool>(value))
          throw wrong(where, "expected a number");
        return value;
    }
    return value;
  }

  static Value plain(const json::value& tree, const std::string& where) {
    if (tree.is_bool()) return tree.as_bool();
    if (tree.is_int64()) return std::int64_t{tree.as_int64()};
    if (tree.is_uint64()) return static_cast<double>(tree.as_uint64());
    if (tree.is_double()) return tree.as_double();
    const auto* text = tree.if_string();
    if (text == nullptr) throw wrong(where, "expected a text, a number, true or false");
    if (text->size() > kMaxTextBytes)
      throw wrong(where, fmt::format("a text of more than {} bytes", kMaxTextBytes));
    if (std::find(text->begin(), text->end(), '\0') != text->end())
      throw wrong(where, "a text with a zero byte");
    return std::string(*text);
  }

  static Value time_of(const std::string& text, const std::string& where) {
    const auto ns = parse_iso_time(text);
    if (!ns)
      throw wrong(where,
                  "expected a date as \"2024-05-01\" or \"2024-05-01T12:00:00Z\", or "
                  "nanoseconds since 1970");
    return *ns;
  }

  void count(const std::string& where) {
    if (++conditions_ > kMaxConditions)
      throw wrong(where, fmt::format("more than {} conditions", kMaxConditions));
  }

  std::size_t conditions_ = 0;
  std::size_t values_ = 0;
};

}  // namespace

ItemFilter parse_item_filter(const json::value& tree) { return Parser().parse(tree, "filter", 1); }

ItemFilter parse_item_filter(std::string_view text) {
  constexpr std::size_t kMaxJsonValues = 50'000;
  json::value tree;
  try {
    tree = json::parse(text, "filter", kMaxJsonValues);
  } catch (const Error& error) {
    throw Error(Kind::kInput, error.what());  // it comes from a person, not from a file
  }
  return parse_item_filter(tree);
}

}  // namespace tandem
