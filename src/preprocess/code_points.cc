#include "preprocess/code_points.h"

#include <cstdint>

namespace tandem {
namespace {

// What may follow a lead byte (Unicode 15, table 3-7): how many continuation bytes, and the range
// of the first of them, which shuts out overlong forms, surrogates and values past U+10FFFF.
struct Lead {
  int continuations;  // 0: not a lead byte
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
};

Lead lead_of(std::uint8_t byte) {
  if (byte < 0xC2 || byte > 0xF4) return {0};
  if (byte < 0xE0) return {1};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte < 0xF0) return {2};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  return {3};
}

// Decodes the sequence at `i`, which starts with a byte >= 0x80, and moves `i` past it.
char32_t decode_one(std::string_view text, std::size_t& i) {
  const auto first = static_cast<std::uint8_t>(text[i++]);
  const Lead lead = lead_of(first);
  if (lead.continuations == 0) return U'\uFFFD';
  char32_t value = first & (0x3FU >> lead.continuations);
  for (int k = 0; k < lead.continuations; ++k) {
    const auto byte = i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
    const bool fits = k == 0 ? byte >= lead.low && byte <= lead.high : (byte & 0xC0U) == 0x80U;
    if (!fits) return U'\uFFFD';
    value = value << 6 | (byte & 0x3FU);
    ++i;
  }
  return value;
}

}  // namespace

std::u32string code_points(std::string_view utf8) {
  std::u32string out;
  out.reserve(utf8.size());
  for (std::size_t i = 0; i < utf8.size();) {
    const auto byte = static_cast<std::uint8_t>(utf8[i]);
    if (byte < 0x80) {
      out.push_back(byte);
      ++i;
    } else {
      out.push_back(decode_one(utf8, i));
    }
  }
  return out;
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
    return;
  }
  if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | c >> 6));
  } else {
    if (c < 0x10000) {
      out.push_back(static_cast<char>(0xE0 | c >> 12));
    } else {
      out.push_back(static_cast<char>(0xF0 | c >> 18));
      out.push_back(static_cast<char>(0x80 | (c >> 12 & 0x3F)));
    }
    out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3F)));
  }
  out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
}

std::string utf8_of(std::u32string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char32_t c : text) append_utf8(out, c);
  return out;
}

}  // namespace tandem
