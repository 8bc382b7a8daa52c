#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <vector>

#include "preprocess/unicode.h"
#include "preprocess/unicode_tables.h"

namespace tandem {
namespace {

// Hangul syllables are composed by rule. Source: Unicode 14 §3.12.
constexpr char32_t kSyllables = 0xAC00;
constexpr char32_t kLeads = 0x1100;
constexpr char32_t kVowels = 0x1161;
constexpr char32_t kTrails = 0x11A7;  // one before the first
constexpr std::uint32_t kVowelCount = 21;
constexpr std::uint32_t kTrailCount = 28;
constexpr std::uint32_t kLeadCount = 19;
constexpr std::uint32_t kSyllableCount = kLeadCount * kVowelCount * kTrailCount;

// A row of three numbers in a sorted flat table, found by its first `keys` numbers; null if there
// is none.
template <std::size_t N>
const std::uint32_t* find_row(const std::uint32_t (&table)[N], std::array<std::uint32_t, 2> key,
                              std::size_t keys) {
  static_assert(N % 3 == 0);
  std::size_t low = 0;
  std::size_t high = N / 3;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const std::uint32_t* row = table + middle * 3;
    const bool before =
        std::lexicographical_compare(row, row + keys, key.begin(), key.begin() + keys);
    if (before) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const std::uint32_t* row = table + low * 3;
  return low < N / 3 && std::equal(row, row + keys, key.begin()) ? row : nullptr;
}

void append_decomposed(std::u32string& out, char32_t c) {
  if (c < 0xC0) {
    out.push_back(c);
    return;
  }
  const std::uint32_t syllable = c - kSyllables;
  if (syllable < kSyllableCount) {
    out.push_back(kLeads + syllable / (kVowelCount * kTrailCount));
    out.push_back(kVowels + syllable / kTrailCount % kVowelCount);
    if (syllable % kTrailCount != 0) out.push_back(kTrails + syllable % kTrailCount);
    return;
  }
  const std::uint32_t* row = find_row(tables::kDecompositions, {c, 0}, 1);
  if (row == nullptr) {
    out.push_back(c);
    return;
  }
  append_decomposed(out, row[1]);  // the table is at most a few levels deep
  if (row[2] != 0) append_decomposed(out, row[2]);
}

// 0 if the two do not compose.
char32_t composed(char32_t first, char32_t second) {
  const std::uint32_t lead = first - kLeads;
  const std::uint32_t vowel = second - kVowels;
  if (lead < kLeadCount && vowel < kVowelCount) {
    return kSyllables + (lead * kVowelCount + vowel) * kTrailCount;
  }
  const std::uint32_t syllable = first - kSyllables;
  const std::uint32_t trail = second - kTrails;
  if (syllable < kSyllableCount && syllable % kTrailCount == 0 && trail > 0 &&
      trail < kTrailCount) {
    return first + trail;
  }
  const std::uint32_t* row = find_row(tables::kCompositions, {first, second}, 2);
  return row == nullptr ? 0 : row[2];
}

// A character with its combining class, so that this is looked up once.
struct Classed {
  char32_t character;
  int combining;
};

std::vector<Classed> decomposed(std::u32string_view text) {
  std::u32string characters;
  characters.reserve(text.size());
  for (const char32_t c : text) append_decomposed(characters, c);
  std::vector<Classed> out;
  out.reserve(characters.size());
  for (const char32_t c : characters) out.push_back({c, may_compose(c) ? combining_class(c) : 0});
  return out;
}

// Sorts each run of combining characters by class, keeping the order within a class.
void order_canonically(std::vector<Classed>& text) {
  const auto before = [](const Classed& a, const Classed& b) { return a.combining < b.combining; };
  const auto combines = [](const Classed& c) { return c.combining != 0; };
  for (auto begin = text.begin(); begin != text.end();) {
    begin = std::find_if(begin, text.end(), combines);
    const auto end = std::find_if_not(begin, text.end(), combines);
    if (end - begin > 1) std::stable_sort(begin, end, before);
    begin = end;
  }
}

// Puts pairs together: each character with the last starter, unless one between them blocks it
// (Unicode 14, D115).
std::u32string composed_text(const std::vector<Classed>& text) {
  std::u32string out;
  out.reserve(text.size());
  std::size_t starter = out.npos;
  int last_class = -1;  // of the last character kept after the starter; -1: none
  for (const auto& [character, combining] : text) {
    if (starter != out.npos && last_class < combining) {
      const char32_t both = composed(out[starter], character);
      if (both != 0) {
        out[starter] = both;
        continue;
      }
    }
    if (combining == 0) {
      starter = out.size();
      last_class = -1;
    } else {
      last_class = combining;
    }
    out.push_back(character);
  }
  return out;
}

}  // namespace

std::u32string nfc(std::u32string text) {
  if (std::none_of(text.begin(), text.end(), may_compose)) return text;
  std::vector<Classed> characters = decomposed(text);
  order_canonically(characters);
  return composed_text(characters);
}

std::u32string nfd(std::u32string text) {
  if (std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0xC0; })) return text;
  std::vector<Classed> characters = decomposed(text);
  order_canonically(characters);
  std::u32string out;
  out.reserve(characters.size());
  for (const Classed& c : characters) out.push_back(c.character);
  return out;
}

}  // namespace tandem
