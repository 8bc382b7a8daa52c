// HTML character references to characters, in the two ways that caption cleaning needs. Pure
// functions, linear time.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tandem {

// As a browser reads text (Python's html.unescape): also names without a semicolon, and the longest
// known beginning of an unknown name; numbers of no character become U+FFFD or nothing. Numbers of
// any length are read: Python gives up with an exception beyond 4,300 digits.
std::u32string html_unescape(std::u32string text);

struct HtmlReference {
  std::u32string characters;
  std::size_t size = 0;  // of the reference in the text
};

// The reference that `text` begins with, if it is unambiguous as ftfy sees it: closed by a
// semicolon, at most 24 letters and digits; common names also in capitals ("&EACUTE;"). None if
// there is none.
std::optional<HtmlReference> closed_html_reference(std::u32string_view text);

}  // namespace tandem
