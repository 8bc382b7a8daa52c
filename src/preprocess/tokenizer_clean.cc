#include "preprocess/tokenizer_clean.h"

#include <algorithm>

#include "preprocess/code_points.h"
#include "preprocess/html_unescape.h"
#include "preprocess/text_clean.h"
#include "preprocess/unicode.h"

namespace tandem {
namespace {

// Python's string.punctuation.
bool is_ascii_punctuation(char32_t c) {
  return (c >= 0x21 && c <= 0x2F) || (c >= 0x3A && c <= 0x40) || (c >= 0x5B && c <= 0x60) ||
         (c >= 0x7B && c <= 0x7E);
}

// open_clip's basic_clean but for the strip, which joining words does anyway.
std::u32string basic_clean(std::string_view text) {
  return html_unescape(html_unescape(fix_text(code_points(text))));
}

// Words with one space between them: Python's " ".join(text.split()).
std::u32string joined_words(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    if (!is_space(c)) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != ' ') {
      out.push_back(' ');
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
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
