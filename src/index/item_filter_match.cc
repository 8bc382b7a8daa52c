// Filters decided on an item at hand.
#include <algorithm>
#include <cmath>
#include <compare>
#include <limits>

#include "core/error.h"
#include "index/item_filter.h"

namespace tandem {
namespace {

using Op = ItemFilter::Op;
using Value = ItemFilter::Value;

// What a field holds: a value, something that only exists (lists and objects), or nothing.
struct Held {
  std::optional<Value> value;
  bool exists = false;
};

Held of_json(const json::value& tree) {
  if (tree.is_null()) return {};
  if (tree.is_bool()) return {tree.as_bool(), true};
  if (tree.is_int64()) return {std::int64_t{tree.as_int64()}, true};
  if (tree.is_uint64()) return {static_cast<double>(tree.as_uint64()), true};
  if (tree.is_double()) return {tree.as_double(), true};
  if (tree.is_string()) return {std::string(tree.as_string()), true};
  return {std::nullopt, true};
}

Held metadata_of(const ItemFilter& filter, const Item& item) {
  json::value tree = json::parse(item.metadata_json, item.uri);
  const json::value* at = &tree;
  for (const std::string& key : filter.keys) {
    const auto* object = at->if_object();
    at = object != nullptr ? object->if_contains(key) : nullptr;
    if (at == nullptr) return {};
  }
  return of_json(*at);
}

Held held_by(const ItemFilter& filter, const Item& item) {
  const std::string& name = filter.column;
  if (name == "metadata") return metadata_of(filter, item);
  if (name == "id") return {item.id, true};
  if (name == "kind") return {std::string(kind_name(item.kind)), true};
  if (name == "uri") return {item.uri, true};
  if (name == "sha256") return {item.sha256, true};
  if (name == "size_bytes") return {static_cast<std::int64_t>(item.size_bytes), true};
  if (name == "mtime") return {item.mtime_ns, true};
  if (name == "width") return {std::int64_t{item.width}, true};
  if (name == "height") return {std::int64_t{item.height}, true};
  if (name == "caption") return {item.caption, true};
  throw Error(Kind::kInternal, "a filter over a field " + name);
}

// As SQLite orders an integer and a double: exactly, not by turning the integer into a double.
std::partial_ordering compare(std::int64_t a, double b) {
  if (std::isnan(b)) return std::partial_ordering::unordered;
  if (b >= 0x1p63) return std::partial_ordering::less;
  if (b < -0x1p63) return std::partial_ordering::greater;
  const auto whole = static_cast<std::int64_t>(b);  // towards zero
  if (a != whole) return a <=> whole;
  return 0.0 <=> (b - static_cast<double>(whole));
}

// Values of different types are unordered, and so neither equal nor within any bound.
std::partial_ordering compare(const Value& a, const Value& b) {
  const auto* a_whole = std::get_if<std::int64_t>(&a);
  const auto* b_whole = std::get_if<std::int64_t>(&b);
  const auto* a_real = std::get_if<double>(&a);
  const auto* b_real = std::get_if<double>(&b);
  if (a_whole != nullptr && b_whole != nullptr) return *a_whole <=> *b_whole;
  if (a_real != nullptr && b_real != nullptr) return *a_real <=> *b_real;
  if (a_whole != nullptr && b_real != nullptr) return compare(*a_whole, *b_real);
  if (a_real != nullptr && b_whole != nullptr) return 0 <=> compare(*b_whole, *a_real);
  if (a.index() != b.index()) return std::partial_ordering::unordered;
  if (const auto* text = std::get_if<std::string>(&a)) return *text <=> std::get<std::string>(b);
  return std::get<bool>(a) <=> std::get<bool>(b);
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

bool within(const ItemFilter& filter, const Value& value) {
  const auto fits = [&](std::partial_ordering order, bool inclusive, bool least) {
    if (order == std::partial_ordering::equivalent) return inclusive;
    return order == (least ? std::partial_ordering::greater : std::partial_ordering::less);
  };
  if (filter.least && !fits(compare(value, filter.least->value), filter.least->inclusive, true))
    return false;
  return !filter.most || fits(compare(value, filter.most->value), filter.most->inclusive, false);
}

bool holds(const ItemFilter& filter, const Item& item) {
  const Held held = held_by(filter, item);
  if (filter.op == Op::kExists) return held.exists;
  if (!held.value) return false;
  if (filter.op == Op::kRange) return within(filter, *held.value);
  if (filter.op == Op::kEqual || filter.op == Op::kIn) {
    return std::any_of(filter.values.begin(), filter.values.end(), [&](const Value& value) {
      return compare(*held.value, value) == std::partial_ordering::equivalent;
    });
  }
  const auto* text = std::get_if<std::string>(&*held.value);
  if (text == nullptr) return false;
  const std::size_t at = lower(*text).find(lower(std::get<std::string>(filter.values.front())));
  return filter.op == Op::kPrefix ? at == 0 : at != std::string::npos;
}

}  // namespace

bool matches(const ItemFilter& filter, const Item& item) {
  const auto fits = [&](const ItemFilter& child) { return matches(child, item); };
  switch (filter.op) {
    case Op::kAnd:
      return std::all_of(filter.children.begin(), filter.children.end(), fits);
    case Op::kOr:
      return std::any_of(filter.children.begin(), filter.children.end(), fits);
    case Op::kNot:
      return !fits(filter.children.front());
    case Op::kEqual:
    case Op::kIn:
    case Op::kRange:
    case Op::kExists:
    case Op::kPrefix:
    case Op::kContains:
      return holds(filter, item);
  }
  return false;
}

}  // namespace tandem
