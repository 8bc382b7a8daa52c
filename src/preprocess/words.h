// CLIP's word pattern: how clean text falls into words before byte-pair merging. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace tandem {

enum class SpecialWord { kStart, kEnd };

struct Word {
  std::u32string_view text;            // empty at the end of the text
  std::optional<SpecialWord> special;  // set for exactly "<start_of_text>" and "<end_of_text>"
};

// The next word of lower-case text from `position` on, which moves past it. Words are, in this
// order of preference: <start_of_text>, <end_of_text>, 's 't 're 've 'm 'll 'd, a run of letters,
// one number, a run of neither space, letter nor number.
Word next_word(std::u32string_view text, std::size_t& position);

}  // namespace tandem
