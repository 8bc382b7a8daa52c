#include "preprocess/tokenizer_clean.h"

#include <algorithm>

#include "preprocess/code_points.h"
#include "preprocess/text_clean.h"
#include "preprocess/unicode.h"

namespace tandem {
namespace {

// Python's string.punctuation.
bool is_ascii_punctuation(char32_t c) {
  return (c >= 0x21 && c <= 0x2F) || (c >= 0x3A && c <= 0x40) || (c >= 0x5B && c <= 0x60) ||
         (c >= 0x7B && c <= 0x7E);
}

}  // namespace

std::string cleaned(std::string_view text, TextClean clean) {
  std::u32string out;
  switch (clean) {
    case TextClean::kNone:
    case TextClean::kLowerOnly:  // tokenizer_json.h does it, between the added tokens
      return utf8_of(code_points(text));
    case TextClean::kWhitespace:
      return utf8_of(joined_words(basic_clean(text)));
    case TextClean::kLower:
      return utf8_of(clean_lower(text));
    case TextClean::kCanonicalize:
      out = basic_clean(text);
      std::replace(out.begin(), out.end(), U'_', U' ');
      std::erase_if(out, is_ascii_punctuation);
      return utf8_of(joined_words(lower(out)));
    case TextClean::kSiglip:
      out = lower(code_points(text));
      std::erase_if(out, is_ascii_punctuation);
      return utf8_of(joined_words(out));
  }
  return {};
}

}  // namespace tandem
