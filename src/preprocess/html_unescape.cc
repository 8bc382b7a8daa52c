#include "preprocess/html_unescape.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "preprocess/html_tables.h"

namespace tandem {
namespace {

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }

bool is_hex_digit(char32_t c) { return is_digit(c) || ((c | 0x20U) >= 'a' && (c | 0x20U) <= 'f'); }

bool is_alphanumeric(char32_t c) {
  return is_digit(c) || ((c | 0x20U) >= 'a' && (c | 0x20U) <= 'z');
}

// A generated name table: sorted names in one string, with their lengths and characters.
class NameTable {
 public:
  NameTable(std::string_view names, std::span<const std::uint8_t> lengths,
            std::span<const std::uint32_t> values, std::span<const std::uint32_t> more)
      : names_(names), values_(values), more_(more) {
    starts_.reserve(lengths.size() + 1);
    std::uint32_t start = 0;
    for (const std::uint8_t length : lengths) {
      starts_.push_back(start);
      start += length;
    }
    starts_.push_back(start);
  }

  std::optional<std::u32string> find(std::string_view wanted) const {
    std::size_t low = 0;
    std::size_t high = values_.size();
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (name(middle) < wanted) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low == values_.size() || name(low) != wanted) return std::nullopt;
    std::u32string characters(1, values_[low]);
    for (std::size_t i = 0; i < more_.size(); i += 2) {
      if (more_[i] == low) characters.push_back(more_[i + 1]);
    }
    return characters;
  }

 private:
  std::string_view name(std::size_t i) const {
    return names_.substr(starts_[i], starts_[i + 1] - starts_[i]);
  }

  std::string_view names_;
  std::span<const std::uint32_t> values_;
  std::span<const std::uint32_t> more_;
  std::vector<std::uint32_t> starts_;
};

const NameTable& html_names() {
  static const NameTable table(tables::kHtmlNames, tables::kHtmlLengths, tables::kHtmlValues,
                               tables::kHtmlMore);
  return table;
}

const NameTable& shouted_names() {
  static const NameTable table(tables::kShoutedNames, tables::kShoutedLengths,
                               tables::kShoutedValues, tables::kShoutedMore);
  return table;
}

// The character of a numeric reference, as HTML 5 §13.2.5.80 repairs it; empty for control
// characters and noncharacters.
std::u32string numbered_character(char32_t number) {
  // Windows-1252 for 0x80 to 0x9F; its gaps stay what they are.
  static constexpr std::array<char16_t, 32> kWindows = {
      0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021, 0x2C6,  0x2030, 0x160,
      0x2039, 0x152,  0x8D,   0x17D,  0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
      0x2013, 0x2014, 0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};
  if (number >= 0x80 && number <= 0x9F) return std::u32string(1, kWindows[number - 0x80]);
  const bool surrogate = number >= 0xD800 && number <= 0xDFFF;
  if (number == 0 || surrogate || number > 0x10FFFF) return U"\uFFFD";
  const bool space = number == '\t' || number == '\n' || number == '\f' || number == '\r';
  const bool control = (number < 0x20 && !space) || number == 0x7F;
  const bool noncharacter = (number >= 0xFDD0 && number <= 0xFDEF) || (number & 0xFFFEU) == 0xFFFE;
  if (control || noncharacter) return {};
  return std::u32string(1, number);
}

// A reference by number at the start of `text` ("&#39;", "&#x27"), closed or not.
std::optional<HtmlReference> numeric_reference(std::u32string_view text) {
  if (text.size() < 3 || text[1] != '#') return std::nullopt;
  const bool hex = (text[2] | 0x20U) == 'x';
  const std::size_t first = hex ? 3 : 2;
  std::size_t i = first;
  char32_t number = 0;
  for (; i < text.size() && (hex ? is_hex_digit(text[i]) : is_digit(text[i])); ++i) {
    const char32_t digit = is_digit(text[i]) ? text[i] - '0' : (text[i] | 0x20U) - 'a' + 10;
    number = std::min<char32_t>(number * (hex ? 16 : 10) + digit, 0x110000);
  }
  if (i == first) return std::nullopt;
  if (i < text.size() && text[i] == ';') ++i;
  return HtmlReference{numbered_character(number), i};
}

// A reference by name at the start of `text`, closed or not: the whole name, or the longest known
// beginning.
std::optional<HtmlReference> named_reference(std::u32string_view text) {
  constexpr std::size_t kLongest = 33;      // with the semicolon
  constexpr std::size_t kLongestOpen = 6;   // of names that may go without, e.g. "Aacute"
  constexpr std::size_t kShortestOpen = 2;  // "lt"
  std::string name;
  while (name.size() < kLongest && 1 + name.size() < text.size() &&
         is_alphanumeric(text[1 + name.size()])) {
    name.push_back(static_cast<char>(text[1 + name.size()]));
  }
  const bool closed = 1 + name.size() < text.size() && text[1 + name.size()] == ';';
  if (closed) {
    if (auto characters = html_names().find(name + ';')) return {{*characters, name.size() + 2}};
  }
  for (std::size_t size = std::min(name.size(), kLongestOpen); size >= kShortestOpen; --size) {
    if (auto characters = html_names().find(std::string_view(name).substr(0, size))) {
      return {{*characters, size + 1}};
    }
  }
  return std::nullopt;
}

// Where the reference stops that Python's expression takes for one, known or not: the text up to
// there is not looked at again. "&" when there is none.
std::size_t reference_span(std::u32string_view text) {
  constexpr std::u32string_view kStops = U"\t\n\f <&#;";
  constexpr std::size_t kLongest = 32;
  std::size_t i = 1;
  while (i < text.size() && i <= kLongest && kStops.find(text[i]) == kStops.npos) ++i;
  if (i > 1 && i < text.size() && text[i] == ';') ++i;
  return i;
}

}  // namespace

std::u32string html_unescape(std::u32string text) {
  std::size_t at = text.find(U'&');
  if (at == text.npos) return text;
  const std::u32string_view view = text;
  std::u32string out(view.substr(0, at));
  while (at < view.size()) {
    const std::u32string_view rest = view.substr(at);
    std::size_t taken = 0;
    if (const auto numeric = numeric_reference(rest)) {
      out += numeric->characters;
      taken = numeric->size;
    } else if (const std::size_t span = reference_span(rest); span > 1) {
      const auto named = named_reference(rest.substr(0, span));
      if (named) out += named->characters;
      out += rest.substr(named ? named->size : 0, named ? span - named->size : span);
      taken = span;
    } else {
      out.push_back('&');
      taken = 1;
    }
    const std::size_t next = std::min(view.find(U'&', at + taken), view.size());
    out += view.substr(at + taken, next - at - taken);
    at = next;
  }
  return out;
}

std::optional<HtmlReference> closed_html_reference(std::u32string_view text) {
  constexpr std::size_t kLongest = 24;
  const std::size_t first = text.size() > 1 && text[1] == '#' ? 2 : 1;
  std::string name;
  std::size_t end = first;
  while (end < text.size() && end - first <= kLongest && is_alphanumeric(text[end])) {
    name.push_back(static_cast<char>(text[end++]));
  }
  if (name.empty() || name.size() > kLongest || end == text.size() || text[end] != ';') {
    return std::nullopt;
  }
  if (first == 2) {
    auto numeric = numeric_reference(text);
    // ftfy leaves a reference alone whose result has a semicolon, be it the reference's own or
    // "&#59;".
    const bool whole = numeric && numeric->size == end + 1 && numeric->characters != U";";
    return whole ? numeric : std::nullopt;
  }
  name.push_back(';');
  auto characters = html_names().find(name);
  if (!characters) characters = shouted_names().find(name);
  if (!characters) return std::nullopt;
  return {{*characters, end + 1}};
}

}  // namespace tandem
