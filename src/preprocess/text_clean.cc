#include "preprocess/text_clean.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "preprocess/code_points.h"
#include "preprocess/html_unescape.h"
#include "preprocess/mojibake.h"
#include "preprocess/unicode.h"
#include "preprocess/unicode_tables.h"

namespace tandem {
namespace {

constexpr char32_t kEscape = 0x1B;

// Whether none of the fixes has anything to do with a character, wherever it stands.
bool is_plain(char32_t c) { return (c >= 0x20 && c < 0x7F && c != '&') || c == '\n' || c == '\t'; }

// Latin ligatures and digraphs as ftfy takes them apart (ftfy/chardata.py, LIGATURES); empty for
// other characters.
std::u32string_view taken_apart(char32_t c) {
  struct Ligature {
    char32_t character;
    std::u32string_view letters;
  };
  static constexpr std::array<Ligature, 22> kLigatures = {{
      {0x132, U"IJ"},       {0x133, U"ij"},  {0x149, U"\u02BCn"}, {0x1F1, U"DZ"},
      {0x1F2, U"Dz"},       {0x1F3, U"dz"},  {0x1C4, U"D\u017D"}, {0x1C5, U"D\u017E"},
      {0x1C6, U"d\u017E"},  {0x1C7, U"LJ"},  {0x1C8, U"Lj"},      {0x1C9, U"lj"},
      {0x1CA, U"NJ"},       {0x1CB, U"Nj"},  {0x1CC, U"nj"},      {0xFB00, U"ff"},
      {0xFB01, U"fi"},      {0xFB02, U"fl"}, {0xFB03, U"ffi"},    {0xFB04, U"ffl"},
      {0xFB05, U"\u017Ft"}, {0xFB06, U"st"},
  }};
  if (c < 0x132 || (c > 0x1F3 && c < 0xFB00) || c > 0xFB06) return {};
  const auto found = std::find_if(kLigatures.begin(), kLigatures.end(),
                                  [c](const Ligature& row) { return row.character == c; });
  return found == kLigatures.end() ? std::u32string_view() : found->letters;
}

// Fullwidth and halfwidth forms, and the ideographic space, in their standard width.
void append_standard_width(std::u32string& out, char32_t c) {
  constexpr char32_t kFirst = 0xFF01;
  if (c == 0xFFE3) {
    out += U" \u0304";
  } else if (c == 0x3000) {
    out.push_back(' ');
  } else if (c >= kFirst && c - kFirst < std::size(tables::kWidths) &&
             tables::kWidths[c - kFirst] != 0) {
    out.push_back(tables::kWidths[c - kFirst]);
  } else {
    out.push_back(c);
  }
}

// What curly quotes and unusual line breaks become.
char32_t straightened(char32_t c) {
  if (c == 0x2BC || (c >= 0x2018 && c <= 0x201B)) return '\'';
  if (c >= 0x201C && c <= 0x201F) return '"';
  return c == '\r' || c == 0x2028 || c == 0x2029 ? U'\n' : c;
}

// The fixes that look at one character at a time: C1 controls, ligatures, width, quotes, line
// breaks.
std::u32string fix_characters(std::u32string text) {
  if (std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x7F && c != '\r'; }))
    return text;
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char32_t c = text[i];
    if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (c >= 0x80 && c < 0xA0) c = windows_1252(c);
    const std::size_t begin = out.size();
    const std::u32string_view letters = taken_apart(c);
    if (letters.empty()) {
      append_standard_width(out, c);
    } else {
      out += letters;
    }
    for (std::size_t k = begin; k < out.size(); ++k) out[k] = straightened(out[k]);
  }
  return out;
}

// Removes ESC [ numbers letter.
std::u32string remove_terminal_escapes(std::u32string text) {
  if (text.find(kEscape) == text.npos) return text;
  const auto is_letter = [](char32_t c) { return (c | 0x20U) >= 'a' && (c | 0x20U) <= 'z'; };
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 2;
    if (text[i] != kEscape || i + 1 == text.size() || text[i + 1] != '[') {
      out.push_back(text[i++]);
      continue;
    }
    while (end < text.size() && (text[end] == ';' || is_decimal(text[end]))) ++end;
    if (end < text.size() && is_letter(text[end])) {
      i = end + 1;
    } else {
      out += text.substr(i, end - i);
      i = end;
    }
  }
  return out;
}

bool is_removed_control(char32_t c) {
  if (c < 0x20) return c < 0x09 || c == 0x0B || c >= 0x0E;
  return c == 0x7F || (c >= 0x206A && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

struct Unescaped {
  std::u32string text;
  std::vector<std::size_t> ampersands;  // where in `text` a reference became '&'
  bool only_ampersands = true;          // no reference became anything else
};

Unescaped unescape_closed(std::u32string_view text) {
  Unescaped out;
  out.text.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto reference = text[i] == '&' ? closed_html_reference(text.substr(i)) : std::nullopt;
    if (!reference) {
      out.text.push_back(text[i++]);
      continue;
    }
    if (reference->characters == U"&") {
      out.ampersands.push_back(out.text.size());
    } else {
      out.only_ampersands = false;
    }
    out.text += reference->characters;
    i += reference->size;
  }
  return out;
}

// "&amp;amp;amp;" loses one "amp;" a round. This does, at once, all the rounds in which nothing
// else happens: `text` is the result of a round that did no more than make '&' at `ampersands`, so
// the next can only find references there.
std::u32string skip_ampersand_rounds(const std::u32string& text,
                                     const std::vector<std::size_t>& ampersands) {
  std::vector<std::vector<std::size_t>> ends(ampersands.size());  // of what each round takes away
  std::size_t rounds = text.size();
  for (std::size_t k = 0; k < ampersands.size(); ++k) {
    std::u32string tail = U"&";
    std::size_t end = ampersands[k] + 1;
    while (true) {
      // A reference is at most 27 characters: '&', '#', 24 letters, ';'.
      tail.replace(1, tail.npos, text, end, 26);
      const auto reference = closed_html_reference(tail);
      if (reference && reference->characters != U"&") rounds = std::min(rounds, ends[k].size());
      if (!reference || reference->characters != U"&") break;
      end += reference->size - 1;
      ends[k].push_back(end);
    }
  }
  std::u32string out;
  std::size_t copied = 0;
  for (std::size_t k = 0; k < ampersands.size(); ++k) {
    const std::size_t taken = std::min(rounds, ends[k].size());
    if (taken == 0) continue;
    out += std::u32string_view(text).substr(copied, ampersands[k] + 1 - copied);
    copied = ends[k][taken - 1];
  }
  return out += std::u32string_view(text).substr(copied);
}

// One line: all fixes in ftfy's order, again and again until nothing changes.
std::u32string fix_segment(std::u32string text, bool unescape, std::size_t& work_left) {
  while (!std::all_of(text.begin(), text.end(), is_plain) && work_left >= text.size()) {
    work_left -= text.size();
    const std::u32string original = text;
    Unescaped unescaped;
    if (unescape && text.find(U'&') != text.npos) {
      unescaped = unescape_closed(text);
      text = unescaped.text;
    }
    text = fix_characters(fix_encoding(std::move(text)));
    text = remove_terminal_escapes(std::move(text));
    std::erase_if(text, is_removed_control);
    text = nfc(std::move(text));
    if (text == original) break;
    if (!unescaped.ampersands.empty() && unescaped.only_ampersands && text == unescaped.text) {
      text = skip_ampersand_rounds(text, unescaped.ampersands);
    }
  }
  return text;
}

}  // namespace

std::u32string fix_text(std::u32string text) {
  constexpr std::size_t kLongestSegment = 1'000'000;
  if (std::all_of(text.begin(), text.end(), is_plain)) return text;
  std::u32string out;
  out.reserve(text.size());
  std::size_t work_left = std::max<std::size_t>(1U << 20, text.size() * 4);
  bool unescape = true;  // until a '<' says that this is HTML, whose references are meant
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t line = std::min(text.find(U'\n', i), text.size() - 1) + 1 - i;
    std::u32string segment = text.substr(i, std::min(line, kLongestSegment));
    i += segment.size();
    if (segment.find(U'<') != segment.npos) unescape = false;
    out += fix_segment(std::move(segment), unescape, work_left);
  }
  return out;
}

std::u32string basic_clean(std::string_view utf8) {
  return html_unescape(html_unescape(fix_text(code_points(utf8))));
}

std::u32string joined_words(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    if (!is_space(c)) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != ' ') {
      out.push_back(' ');
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::u32string clean_lower(std::string_view utf8) { return lower(joined_words(basic_clean(utf8))); }

}  // namespace tandem
