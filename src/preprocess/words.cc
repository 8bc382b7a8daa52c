#include "preprocess/words.h"

#include <array>

#include "preprocess/unicode.h"

namespace tandem {
namespace {

constexpr std::u32string_view kStart = U"<start_of_text>";
constexpr std::u32string_view kEnd = U"<end_of_text>";

// The reference's pattern ignores case, so in text that is lower-case already only the long s still
// counts as an s.
char32_t folded(char32_t c) { return c == U'\u017F' ? U's' : c; }

bool starts_with(std::u32string_view text, std::u32string_view prefix) {
  if (text.size() < prefix.size()) return false;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (folded(text[i]) != prefix[i]) return false;
  }
  return true;
}

// Length of the fixed word that `text` begins with, 0 for none.
std::size_t fixed_word(std::u32string_view text) {
  static constexpr std::array<std::u32string_view, 7> kContractions = {
      U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"};
  if (text[0] == '<') {
    if (starts_with(text, kStart)) return kStart.size();
    if (starts_with(text, kEnd)) return kEnd.size();
  } else if (text[0] == '\'') {
    for (const std::u32string_view word : kContractions) {
      if (starts_with(text, word)) return word.size();
    }
  }
  return 0;
}

}  // namespace

Word next_word(std::u32string_view text, std::size_t& position) {
  while (position < text.size() && word_kind(text[position]) == WordKind::kSpace) ++position;
  if (position == text.size()) return {};
  const std::u32string_view rest = text.substr(position);
  std::size_t size = fixed_word(rest);
  if (size == 0) {
    const WordKind kind = word_kind(rest[0]);
    size = 1;
    while (kind != WordKind::kNumber && size < rest.size() && word_kind(rest[size]) == kind) ++size;
  }
  position += size;
  Word word{rest.substr(0, size), std::nullopt};
  if (word.text == kStart) word.special = SpecialWord::kStart;
  if (word.text == kEnd) word.special = SpecialWord::kEnd;
  return word;
}

}  // namespace tandem
