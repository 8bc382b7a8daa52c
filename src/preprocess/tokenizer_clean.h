// What is done to a text before a tokenizer sees it, as the reference implementations do it. Pure
// functions.
#pragma once

#include <string>
#include <string_view>

#include "preprocess/tokenizer_spec.h"

namespace tandem {

// `text` cleaned as `clean` says, as UTF-8. Invalid UTF-8 reads as U+FFFD. Linear time.
std::string cleaned(std::string_view text, TextClean clean);

}  // namespace tandem
