#include "preprocess/text_clean.h"

#include "preprocess/code_points.h"

namespace tandem {

std::u32string clean_lower(std::string_view utf8) {
  std::u32string out;
  for (char32_t c : code_points(utf8)) {
    const bool space = c == ' ' || (c >= 9 && c <= 13);
    if (space && (out.empty() || out.back() == ' ')) continue;
    out.push_back(space ? U' ' : c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace tandem
