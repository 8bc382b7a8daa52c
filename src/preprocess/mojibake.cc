#include "preprocess/mojibake.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "preprocess/mojibake_bytes.h"
#include "preprocess/mojibake_tables.h"
#include "preprocess/unicode.h"

namespace tandem {
namespace {

// Encodings in the order of trial, as columns of tables::kMojibakeChars.
enum Encoding { kLatin1, kWindows1252, kLastSloppy = 6, kIso8859_2, kMacRoman, kCp437 };

// Sloppy encodings write U+FFFD as this byte, and so cannot write U+001A itself.
constexpr char32_t kReplacement = U'\uFFFD';
constexpr unsigned kReplacementByte = 0x1A;

// Bits of a character's clues: what byte of UTF-8 it may have been.
constexpr unsigned kFirstOf2 = 1U << 0;
constexpr unsigned kFirstOf3 = 1U << 1;
constexpr unsigned kFirstOf4 = 1U << 2;
constexpr unsigned kContinuation = 1U << 3;
constexpr unsigned kStrictContinuation = 1U << 4;

constexpr std::size_t kColumns = 3 + tables::kEncodings;
constexpr std::size_t kRows = std::size(tables::kMojibakeChars) / kColumns;

// One row of the character table; all zero for other characters.
struct Known {
  const std::uint16_t* row = nullptr;
  unsigned clues() const { return row == nullptr ? 0 : row[2]; }
  unsigned byte(int encoding) const { return row == nullptr ? 0 : row[3 + encoding]; }
};

// Rows by character, for all but a few characters; those are searched for.
constexpr std::size_t kIndexed = 0x2600;

std::array<std::uint16_t, kIndexed> index_rows() {
  std::array<std::uint16_t, kIndexed> rows{};
  for (std::size_t i = 0; i < kRows; ++i) {
    const std::uint16_t c = tables::kMojibakeChars[i * kColumns];
    if (c < kIndexed) rows[c] = static_cast<std::uint16_t>(i + 1);
  }
  return rows;
}

Known known(char32_t c) {
  static const std::array<std::uint16_t, kIndexed> index = index_rows();
  if (c < kIndexed) {
    return index[c] == 0 ? Known{} : Known{tables::kMojibakeChars + (index[c] - 1) * kColumns};
  }
  for (std::size_t i = kRows; i-- > 0;) {  // sorted: the few high ones come last
    const std::uint16_t* row = tables::kMojibakeChars + i * kColumns;
    if (row[0] == c) return {row};
    if (row[0] < c) break;
  }
  return {};
}

// Class of a character for the automaton; those it does not name differ only in being word, space
// (0, 1) or neither.
unsigned badness_class(char32_t c) {
  const Known entry = known(c);
  if (entry.row != nullptr) return entry.row[1];
  if (is_word(c)) return 0;
  return is_space(c) ? 1 : 2;
}

bool is_ascii(std::u32string_view text) {
  return std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x80; });
}

// The bytes that `text` was before it was read in `encoding`; none if it holds a character which
// that lacks.
std::optional<std::string> encoded(std::u32string_view text, int encoding) {
  const bool sloppy = encoding > kLatin1 && encoding <= kLastSloppy;
  std::string bytes;
  bytes.reserve(text.size());
  for (const char32_t c : text) {
    unsigned byte = c;
    if (sloppy && c == kReplacement) {
      byte = kReplacementByte;
    } else if (c >= 0x80) {
      byte = known(c).byte(encoding);
      if (byte == 0) return std::nullopt;
    } else if (sloppy && c == kReplacementByte) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

// `text` as UTF-8 that was read in `encoding`, if it can be that.
std::optional<std::u32string> reread(std::u32string_view text, int encoding) {
  std::optional<std::string> bytes = encoded(text, encoding);
  if (!bytes) return std::nullopt;
  // Not for Mac OS Roman, where it would take an en dash and a space for a letter.
  if (encoding != kMacRoman) bytes = restore_byte_a0(std::move(*bytes));
  if (encoding > kLatin1 && encoding <= kLastSloppy)
    bytes = replace_lossy_sequences(std::move(*bytes));
  return decode_utf8_variants(*bytes);
}

// End of the run of UTF-8-like sequences that starts at `begin`; `begin` if there is none.
std::size_t utf8_like_end(std::u32string_view text, std::size_t begin) {
  std::size_t i = begin;
  while (i < text.size()) {
    const unsigned clues = known(text[i]).clues();
    const std::size_t size = (clues & kFirstOf2) != 0   ? 2
                             : (clues & kFirstOf3) != 0 ? 3
                             : (clues & kFirstOf4) != 0 ? 4
                                                        : 0;
    if (size == 0 || text.size() - i < size) break;
    const auto first = text.begin() + static_cast<std::ptrdiff_t>(i);
    const bool whole =
        std::all_of(first + 1, first + static_cast<std::ptrdiff_t>(size),
                    [](char32_t c) { return (known(c).clues() & kContinuation) != 0; });
    if (!whole) break;
    i += size;
  }
  return i;
}

class EncodingFixer {
 public:
  explicit EncodingFixer(std::size_t size)
      : work_left_(std::max<std::size_t>(1U << 20, size * 4)) {}

  std::u32string fix(std::u32string text) {
    while (work_left_ >= text.size()) {
      work_left_ -= text.size();
      std::optional<std::u32string> fixed = step(text);
      if (!fixed || *fixed == text) break;
      text = std::move(*fixed);
    }
    return text;
  }

 private:
  // One round; none if there is nothing to fix.
  std::optional<std::u32string> step(std::u32string_view text) {
    if (is_ascii(text) || !looks_bad(text)) return std::nullopt;
    for (int encoding = 0; encoding < tables::kEncodings; ++encoding) {
      if (auto fixed = reread(text, encoding)) return fixed;
    }
    std::u32string mixed = fix_embedded(text);
    if (mixed != text) return mixed;
    // Latin-1 with C1 controls was windows-1252; its five gaps leave the text to the rule after
    // this one, which says the same but for them.
    return fix_controls(text);
  }

  // Repairs runs that look like UTF-8 on their own, where the whole text cannot be read anew
  // (ftfy's decode_inconsistent_utf8).
  std::u32string fix_embedded(std::u32string_view text) {
    std::u32string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
      const bool inside = i > 0 && (known(text[i - 1]).clues() & kStrictContinuation) != 0;
      const std::size_t end = inside ? i : utf8_like_end(text, i);
      if (end == i) {
        out.push_back(text[i++]);
        continue;
      }
      const std::u32string_view run = text.substr(i, end - i);
      if (run.size() < text.size() && looks_bad(run)) {
        out += fix(std::u32string(run));
      } else {
        out += run;
      }
      i = end;
    }
    return out;
  }

  static std::u32string fix_controls(std::u32string_view text) {
    std::u32string out(text);
    for (char32_t& c : out) {
      if (c >= 0x80 && c < 0xA0) c = windows_1252(c);
    }
    return out;
  }

  std::size_t work_left_;
};

}  // namespace

bool looks_bad(std::u32string_view text) {
  constexpr unsigned kBad = 1;
  unsigned state = 0;
  for (const char32_t c : text) {
    state = tables::kBadnessStates[state * tables::kCharClasses + badness_class(c)];
    if (state == kBad) return true;
  }
  return false;
}

std::u32string fix_encoding(std::u32string text) {
  EncodingFixer fixer(text.size());
  return fixer.fix(std::move(text));
}

char32_t windows_1252(char32_t c1) {
  static const std::array<char16_t, 32> decoded = [] {
    std::array<char16_t, 32> table{};
    for (std::size_t i = 0; i < kRows; ++i) {
      const std::uint16_t* row = tables::kMojibakeChars + i * kColumns;
      const unsigned byte = row[3 + kWindows1252];
      if (byte >= 0x80 && byte < 0xA0) table[byte - 0x80] = row[0];
    }
    return table;
  }();
  return decoded[c1 - 0x80];
}

}  // namespace tandem
