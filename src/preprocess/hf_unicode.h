// Characters and normal forms as Hugging Face's tokenizers has them, which are of other Unicode
// versions than unicode.h's (hf_tables.h). Pure functions, safe from any thread.
#pragma once

#include <string>
#include <string_view>

#include "preprocess/unicode.h"

namespace tandem::hf {

// \p{L}, \p{N}, \s and the rest in its regular expressions.
WordKind kind(char32_t c);

bool is_white_space(char32_t c);      // Rust's char::is_whitespace
bool is_other(char32_t c);            // what BertNormalizer removes: control, format, unassigned, …
bool is_nonspacing_mark(char32_t c);  // BertNormalizer's accents
bool is_accent(char32_t c);           // StripAccents'
bool is_punctuation(char32_t c);
bool is_numeric(char32_t c);
bool is_word(char32_t c);  // \w of Whitespace and of added tokens

// Each character by itself, without Greek's final sigma.
std::u32string lower(std::u32string_view text);

enum class Form { kNfc, kNfd, kNfkc, kNfkd };
std::u32string normal_form(std::u32string_view text, Form form);

// Characters of the grapheme cluster that `text` begins with; exact for clusters of less than 6
// bytes of UTF-8, the only ones that Precompiled looks at as a whole. 0 for an empty text.
std::size_t grapheme(std::u32string_view text);

}  // namespace tandem::hf
