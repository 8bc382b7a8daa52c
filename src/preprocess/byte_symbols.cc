#include "preprocess/byte_symbols.h"

#include <array>

#include "preprocess/code_points.h"

namespace tandem {
namespace {

// Printable Latin-1 stands for itself; the other 68 bytes are U+0100 and up, in order.
constexpr std::array<char32_t, 256> kSymbols = [] {
  std::array<char32_t, 256> out{};
  char32_t next = 0x100;
  for (char32_t b = 0; b < 256; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    out[b] = printable ? b : next++;
  }
  return out;
}();

}  // namespace

std::u32string byte_symbols(std::u32string_view text) {
  const std::string bytes = utf8_of(text);
  std::u32string out;
  out.reserve(bytes.size());
  for (const char c : bytes) out.push_back(kSymbols[static_cast<std::uint8_t>(c)]);
  return out;
}

}  // namespace tandem
