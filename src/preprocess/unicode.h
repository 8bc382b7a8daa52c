// Properties of characters that the CLIP tokenizer asks for. Pure functions.
#pragma once

namespace tandem {

// What a character is to the tokenizer's word pattern.
enum class WordKind : unsigned char { kSpace, kLetter, kNumber, kOther };

WordKind word_kind(char32_t c);

}  // namespace tandem
