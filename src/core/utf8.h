// UTF-8 validity. Tokenizers have their own, richer Unicode code in preprocess/.
#pragma once

#include <cstddef>
#include <string_view>

namespace tandem {

// Bytes (1..4) of the well-formed sequence that `text` begins with; 0 when it begins with none (or
// is empty). Overlong forms, surrogates and code points past U+10FFFF are not well-formed. Source:
// Unicode 15, table 3-7.
std::size_t utf8_sequence(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace tandem
