// Cleaning of captions before tokenizing, equal to what open_clip does. Pure functions, linear
// time.
#pragma once

#include <string>
#include <string_view>

namespace tandem {

// open_clip's clean="lower": ftfy.fix_text, html.unescape twice, runs of white space to one space,
// none at the ends, lower case. Invalid UTF-8 reads as U+FFFD.
std::u32string clean_lower(std::string_view utf8);

}  // namespace tandem
