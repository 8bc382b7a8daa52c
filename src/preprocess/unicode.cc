#include "preprocess/unicode.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "preprocess/unicode_tables.h"

namespace tandem {
namespace {

// Bits of a property byte, as tools/tables/unicode_tables.py packs them.
constexpr unsigned kKindMask = 3;
constexpr unsigned kDecimal = 1U << 2;
constexpr unsigned kWord = 1U << 3;
constexpr unsigned kCased = 1U << 4;
constexpr unsigned kCaseIgnorable = 1U << 5;
constexpr unsigned kHasLower = 1U << 6;
constexpr unsigned kMayCompose = 1U << 7;

// The value of the run that holds `c`. runs: sorted (start << 8 | value).
unsigned run_value(std::span<const std::uint32_t> runs, char32_t c) {
  const auto after = std::upper_bound(runs.begin(), runs.end(), c << 8 | 0xFFU);
  return *(after - 1) & 0xFFU;
}

// Property bytes of the first two planes, where nearly all text is, unpacked once.
constexpr std::size_t kFlat = 0x20000;

std::array<std::uint8_t, kFlat> unpack_properties() {
  std::array<std::uint8_t, kFlat> flat;
  const std::span<const std::uint32_t> runs = tables::kPropertyRuns;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::size_t begin = std::min<std::size_t>(runs[i] >> 8, kFlat);
    const std::size_t end =
        i + 1 < runs.size() ? std::min<std::size_t>(runs[i + 1] >> 8, kFlat) : kFlat;
    std::fill(flat.begin() + begin, flat.begin() + end, static_cast<std::uint8_t>(runs[i] & 0xFFU));
  }
  return flat;
}

unsigned properties(char32_t c) {
  static const std::array<std::uint8_t, kFlat> flat = unpack_properties();
  return c < kFlat ? flat[c] : run_value(tables::kPropertyRuns, c);
}

char32_t simple_lower(char32_t c) {
  static_assert(std::size(tables::kLowerRanges) % 4 == 0);
  const std::uint32_t* table = tables::kLowerRanges;
  std::size_t low = 0;
  std::size_t high = std::size(tables::kLowerRanges) / 4;
  while (high - low > 1) {
    const std::size_t middle = (low + high) / 2;
    (table[middle * 4] <= c ? low : high) = middle;
  }
  const std::uint32_t* row = table + low * 4;
  if (c < row[0] || c > row[1] || (c - row[0]) % row[2] != 0) return c;
  return c + row[3] - (1U << 20);
}

// Whether the capital sigma at `i` ends a word: a cased letter before it and none after,
// case-ignorable ones left out. Source: Unicode 14, table 3-17 (Final_Sigma).
class FinalSigma {
 public:
  explicit FinalSigma(std::u32string_view text) : text_(text) {}

  bool ends_word(std::size_t i, bool cased_before) {
    if (!cased_before) return false;
    // A scan ahead is kept, so that a long row of ignorable characters is read once.
    if (next_ <= i) next_ = i + 1;
    while (next_ < text_.size() && (properties(text_[next_]) & kCaseIgnorable) != 0) ++next_;
    return next_ == text_.size() || (properties(text_[next_]) & kCased) == 0;
  }

 private:
  std::u32string_view text_;
  std::size_t next_ = 0;
};

}  // namespace

WordKind word_kind(char32_t c) { return static_cast<WordKind>(properties(c) & kKindMask); }

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_decimal(char32_t c) { return (properties(c) & kDecimal) != 0; }

bool is_word(char32_t c) { return (properties(c) & kWord) != 0; }

std::u32string lower(std::u32string_view text) {
  constexpr char32_t kSigma = U'\u03A3';
  std::u32string out;
  out.reserve(text.size());
  FinalSigma sigma(text);
  bool cased_before = false;  // the last character that is not case-ignorable is cased
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    const unsigned bits = properties(c);
    if (c == kSigma) {
      out.push_back(sigma.ends_word(i, cased_before) ? U'\u03C2' : U'\u03C3');
    } else if (c == U'\u0130') {
      out += U"i\u0307";
    } else {
      out.push_back((bits & kHasLower) != 0 ? simple_lower(c) : c);
    }
    if ((bits & kCaseIgnorable) == 0) cased_before = (bits & kCased) != 0;
  }
  return out;
}

int combining_class(char32_t c) { return static_cast<int>(run_value(tables::kCombiningRuns, c)); }

bool may_compose(char32_t c) { return (properties(c) & kMayCompose) != 0; }

}  // namespace tandem
