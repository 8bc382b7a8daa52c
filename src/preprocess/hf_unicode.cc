#include "preprocess/hf_unicode.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "preprocess/hf_tables.h"

namespace tandem::hf {
namespace {

// Bits of a property, as tools/tables/hf_tables.py packs them.
constexpr unsigned kKindMask = 3;
constexpr unsigned kOther = 1U << 2;
constexpr unsigned kNonspacingMark = 1U << 3;
constexpr unsigned kPunctuation = 1U << 4;
constexpr unsigned kNumeric = 1U << 5;
constexpr unsigned kWord = 1U << 6;
constexpr unsigned kAccent = 1U << 7;
constexpr unsigned kJoins = 1U << 8;   // extends a grapheme cluster
constexpr unsigned kBreaks = 1U << 9;  // a control: nothing extends it
constexpr unsigned kPropertyBits = 10;

constexpr std::size_t kFlat = 0x10000;

unsigned run_value(char32_t c) {
  const std::span<const std::uint32_t> runs = tables::kHfRuns;
  const auto after =
      std::upper_bound(runs.begin(), runs.end(), c << kPropertyBits | ((1U << kPropertyBits) - 1));
  return *(after - 1) & ((1U << kPropertyBits) - 1);
}

unsigned properties(char32_t c) {
  static const std::vector<std::uint16_t> flat = [] {
    std::vector<std::uint16_t> out(kFlat);
    for (char32_t i = 0; i < kFlat; ++i) out[i] = static_cast<std::uint16_t>(run_value(i));
    return out;
  }();
  return c < kFlat ? flat[c] : run_value(c);
}

// The second number of the row of `table` that begins with `c`, or nothing.
const std::uint32_t* find_row(std::span<const std::uint32_t> table, char32_t c) {
  std::size_t low = 0;
  std::size_t high = table.size() / 2;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (table[middle * 2] < c) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < table.size() / 2 && table[low * 2] == c ? &table[low * 2] : nullptr;
}

std::u32string compatible(std::u32string_view text) {
  const std::span<const std::uint32_t> rows = tables::kHfCompatibility;
  const std::span<const std::uint32_t> flat = tables::kHfCompatibilityFlat;
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    const std::uint32_t* row = c < 0xA0 ? nullptr : find_row(rows, c);
    if (row == nullptr) {
      out.push_back(c);
      continue;
    }
    const bool last = row + 2 == rows.data() + rows.size();
    const std::size_t end = last ? flat.size() : row[3];
    out.append(flat.begin() + row[1], flat.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return out;
}

bool is_inert(char32_t c) {
  return c >= tables::kHfInert[0] &&
         std::binary_search(std::begin(tables::kHfInert), std::end(tables::kHfInert), c);
}

}  // namespace

WordKind kind(char32_t c) { return static_cast<WordKind>(properties(c) & kKindMask); }

bool is_white_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_other(char32_t c) { return (properties(c) & kOther) != 0; }
bool is_nonspacing_mark(char32_t c) { return (properties(c) & kNonspacingMark) != 0; }
bool is_accent(char32_t c) { return (properties(c) & kAccent) != 0; }
bool is_punctuation(char32_t c) { return (properties(c) & kPunctuation) != 0; }
bool is_numeric(char32_t c) { return (properties(c) & kNumeric) != 0; }
bool is_word(char32_t c) { return (properties(c) & kWord) != 0; }

std::u32string lower(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    if (c < 0x80) {
      out.push_back(c >= 'A' && c <= 'Z' ? c + 32 : c);
    } else if (const std::uint32_t* row = find_row(tables::kHfLower, c)) {
      out.push_back(row[1]);
    } else {
      out += tandem::lower({&c, 1});
    }
  }
  return out;
}

// An inert character composes with nothing and stays where it is, so the text before and after it
// have normal forms of their own.
std::u32string normal_form(std::u32string_view text, Form form) {
  std::u32string expanded;
  if (form == Form::kNfkc || form == Form::kNfkd) {
    expanded = compatible(text);
    text = expanded;
  }
  const bool composes = form == Form::kNfc || form == Form::kNfkc;
  std::u32string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto end = std::find_if(text.begin(), text.end(), is_inert);
    const auto size = static_cast<std::size_t>(end - text.begin());
    const std::u32string part(text.substr(0, size));
    out += composes ? nfc(part) : nfd(part);
    if (size == text.size()) break;
    out.push_back(text[size]);
    text.remove_prefix(size + 1);
  }
  return out;
}

std::size_t grapheme(std::u32string_view text) {
  if (text.size() < 2) return text.size();
  if (text[0] == '\r' && text[1] == '\n') return 2;
  std::size_t size = 1;
  if ((properties(text[0]) & kBreaks) != 0) return size;
  while (size < text.size() && (properties(text[size]) & kJoins) != 0) ++size;
  return size;
}

}  // namespace tandem::hf
