// Bytes that should be UTF-8 but lost something on the way: repairs and a decoder. Pure functions,
// linear time. The rules are those of ftfy 6.3 (Robyn Speer, Apache-2.0): ftfy/fixes.py,
// chardata.py, bad_codecs/utf8_variants.py.
#pragma once

#include <optional>
#include <string>

namespace tandem {

// Puts back no-break spaces (byte A0) that became spaces, where that completes a likely UTF-8
// sequence.
std::string restore_byte_a0(std::string bytes);

// Replaces UTF-8 sequences of which a byte was lost (1A, at most one '?') by U+FFFD's.
std::string replace_lossy_sequences(std::string bytes);

// Strict UTF-8, and two variants when bytes ED or C0 occur: pairs of surrogates (CESU-8) and Java's
// C0 80 for U+0000. None if the bytes are not that.
std::optional<std::u32string> decode_utf8_variants(std::string_view bytes);

}  // namespace tandem
