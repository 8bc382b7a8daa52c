// UTF-8 to code points and back, forgiving: text comes from captions of the web. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace tandem {

// Each ill-formed piece (a maximal subpart, as Unicode 15 §3.9 names it) becomes one U+FFFD, as
// Python's decode(errors="replace") does. So the result holds no surrogates.
std::u32string code_points(std::string_view utf8);

void append_utf8(std::string& out, char32_t c);

std::string utf8_of(std::u32string_view text);

}  // namespace tandem
