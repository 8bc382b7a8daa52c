#include "index/store_text.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <unordered_map>

#include "core/error.h"
#include "core/sha256.h"
#include "core/utf8.h"

namespace tandem {
namespace {

constexpr std::string_view kEscape = "\xEF\xB7\x90";  // U+FDD0, a noncharacter

void append_escaped(std::string& out, std::string_view bytes) {
  for (const char c : bytes) out += fmt::format("{}{:02x}", kEscape, static_cast<unsigned char>(c));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

template <class Text>
json::value map_texts(const json::value& tree, const Text& text) {
  if (tree.is_string()) return json::value(text(tree.get_string()));
  if (tree.is_array()) {
    json::array out;
    for (const auto& entry : tree.get_array()) out.push_back(map_texts(entry, text));
    return out;
  }
  if (tree.is_object()) {
    json::object out;
    for (const auto& [key, entry] : tree.get_object()) out[text(key)] = map_texts(entry, text);
    return out;
  }
  return tree;
}

}  // namespace

std::string to_wire(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const auto length = utf8_sequence(bytes);
    const auto piece = bytes.substr(0, std::max<std::size_t>(length, 1));
    if (length == 0 || piece[0] == 0 || piece == kEscape) {
      append_escaped(out, piece);
    } else {
      out += piece;
    }
    bytes.remove_prefix(piece.size());
  }
  return out;
}

std::string from_wire(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto mark = std::min(text.find(kEscape), text.size());
    out += text.substr(0, mark);
    text.remove_prefix(mark);
    if (text.empty()) break;
    const int high = text.size() >= 5 ? hex_digit(text[3]) : -1;
    const int low = text.size() >= 5 ? hex_digit(text[4]) : -1;
    if (high < 0 || low < 0) {  // not ours: somebody else wrote it
      out += kEscape;
      text.remove_prefix(kEscape.size());
    } else {
      out += static_cast<char>(high * 16 + low);
      text.remove_prefix(5);
    }
  }
  return out;
}

json::value to_wire_tree(const json::value& tree) {
  return map_texts(tree, [](std::string_view text) { return to_wire(text); });
}

json::value from_wire_tree(const json::value& tree) {
  return map_texts(tree, [](std::string_view text) { return from_wire(text); });
}

json::object metadata_of(const Item& item) {
  try {
    auto tree = json::parse(item.metadata_json, "metadata");
    if (tree.is_object()) return std::move(tree.get_object());
  } catch (const Error& error) {
    throw Error(Kind::kInput, fmt::format("{}: {}", item.uri, error.what()));
  }
  throw Error(Kind::kInput, item.uri + ": its metadata is not a JSON object.");
}

std::int64_t id_of_uri(std::string_view uri) {
  const auto digest = sha256(std::as_bytes(std::span(uri.data(), uri.size())));
  std::uint64_t id = 0;
  for (std::size_t i = 0; i < 8; ++i) id = (id << 8) | digest[i];
  return static_cast<std::int64_t>(id >> 1);
}

void check_rows(std::span<const Item> items, const Matrix& vectors, int width) {
  if (items.size() != vectors.rows || vectors.cols != static_cast<std::size_t>(width))
    throw Error(Kind::kInput, fmt::format("{} items with {} vectors of width {}. Expected as many "
                                          "vectors, of width {}.",
                                          items.size(), vectors.rows, vectors.cols, width));
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto row = vectors.row(i);
    if (!std::all_of(row.begin(), row.end(), [](float value) { return std::isfinite(value); }))
      throw Error(Kind::kInput, items[i].uri + ": its vector has NaN or infinity; not stored.");
  }
}

void check_query(std::span<const float> query, int width) {
  if (query.size() != static_cast<std::size_t>(width))
    throw Error(Kind::kInput, fmt::format("a query of width {} for vectors of width {}. Use the "
                                          "model that the store was made with.",
                                          query.size(), width));
  if (!std::all_of(query.begin(), query.end(), [](float value) { return std::isfinite(value); }))
    throw Error(Kind::kInput, "the query has NaN or infinity.");
}

void check_options(const SearchOptions& options, const std::string& shown) {
  if (!options.where.empty())
    throw Error(Kind::kUnsupported,
                shown +
                    ": conditions in SQL (--where) work on collections on this machine only. "
                    "Use a filter (--filter).");
}

void check_same_model(const StoreMeta& has, const StoreMeta& asked, const std::string& shown) {
  const bool other_model = !asked.fingerprint.empty() && asked.fingerprint != has.fingerprint;
  const bool other_width = asked.width > 0 && asked.width != has.width;
  if (!other_model && !other_width) return;
  const auto named = [](const StoreMeta& meta) {
    return fmt::format("{} {} (width {})", meta.model_name, meta.fingerprint.substr(0, 12),
                       meta.width);
  };
  throw Error(
      Kind::kInput,
      fmt::format("{}: made with {}, asked with {}. Use that model, or index into a new store.",
                  shown, named(has), named(asked)));
}

std::vector<std::size_t> last_of_each_uri(std::span<const Item> items) {
  std::unordered_map<std::string_view, std::size_t> last;
  for (std::size_t i = 0; i < items.size(); ++i) last[items[i].uri] = i;
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (last[items[i].uri] == i) out.push_back(i);
  }
  return out;
}

}  // namespace tandem
