// Properties and mappings of characters as the reference tokenizer's libraries have them (versions:
// unicode_tables.h), so that ids do not change with an installed library. Pure functions, safe from
// any thread.
#pragma once

#include <string>
#include <string_view>

namespace tandem {

// What a character is to the tokenizer's word pattern; kSpace stands between words.
enum class WordKind : unsigned char { kSpace, kLetter, kNumber, kOther };

WordKind word_kind(char32_t c);

bool is_space(char32_t c);    // Python's str.isspace()
bool is_decimal(char32_t c);  // Python's str.isdecimal(), re's \d
bool is_word(char32_t c);     // re's \w: letters, numbers, _

// Python's str.lower(): one to one, but for U+0130 and for the capital sigma that ends a word.
std::u32string lower(std::u32string_view text);

// Normalization form C.
std::u32string nfc(std::u32string text);

// Normalization form D.
std::u32string nfd(std::u32string text);

// Canonical combining class; 0 for most characters.
int combining_class(char32_t c);

// Whether a character may change under NFC, by itself or beside others. Text of other characters is
// in NFC.
bool may_compose(char32_t c);

}  // namespace tandem
