#include "preprocess/unicode.h"

namespace tandem {

WordKind word_kind(char32_t c) {
  if (c == ' ' || (c >= 9 && c <= 13)) return WordKind::kSpace;
  if (c >= '0' && c <= '9') return WordKind::kNumber;
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= 0xC0 && c < 0x2000))
    return WordKind::kLetter;
  return WordKind::kOther;
}

}  // namespace tandem
