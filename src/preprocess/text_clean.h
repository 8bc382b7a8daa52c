// Cleaning of captions before tokenizing, equal to the reference. Pure functions, linear time.
#pragma once

#include <string>
#include <string_view>

namespace tandem {

// ftfy.fix_text of ftfy 6.3 with its default options: HTML references, text read in a wrong
// encoding, ligatures, widths, curly quotes, line breaks, terminal escapes, control characters,
// NFC. A line is worked on until nothing changes. After about 4 times the text's size (and at
// least a million characters) of work it is left as it is then: only text made for the purpose
// needs that many rounds.
std::u32string fix_text(std::u32string text);

// open_clip's basic_clean: fix_text, HTML references unescaped twice. White space at the ends
// stays: what follows joins words. Invalid UTF-8 reads as U+FFFD.
std::u32string basic_clean(std::string_view utf8);

// Words with one space between them: Python's " ".join(text.split()).
std::u32string joined_words(std::u32string_view text);

// open_clip's clean="lower": basic_clean, joined_words, lower case.
std::u32string clean_lower(std::string_view utf8);

}  // namespace tandem
