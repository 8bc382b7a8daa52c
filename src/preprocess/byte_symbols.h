// The printable characters that byte-level vocabularies write bytes with (GPT-2's
// bytes_to_unicode).
#pragma once

#include <string>
#include <string_view>

namespace tandem {

// The text's UTF-8, a character for each byte.
std::u32string byte_symbols(std::u32string_view text);

}  // namespace tandem
