// Text that was UTF-8 but was read in another encoding, found and repaired. Pure functions.
// The heuristics are those of ftfy 6.3 (Robyn Speer, Apache-2.0); tables:
// tools/tables/mojibake_tables.py.
#pragma once

#include <string>
#include <string_view>

namespace tandem {

// Whether some sequence of characters is much likelier an accident than meant
// (ftfy.badness.is_bad). Linear.
bool looks_bad(std::u32string_view text);

// Undoes the wrong reading, as many times as it happened (ftfy.fix_encoding). Each round is linear.
// After about 4 times the text's size (and at least a million characters) of work it stops and
// returns what it has: only text made for the purpose needs that many rounds.
std::u32string fix_encoding(std::u32string text);

// The character that windows-1252 has at a C1 control's place (U+0080 to U+009F); the control
// itself at its five gaps.
char32_t windows_1252(char32_t c1);

}  // namespace tandem
