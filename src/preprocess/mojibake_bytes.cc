#include "preprocess/mojibake_bytes.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "preprocess/code_points.h"

namespace tandem {
namespace {

constexpr unsigned kLost = 0x1A;  // what the sloppy encodings write for U+FFFD

// Reads past the end as a byte that no rule takes.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  std::size_t size() const { return bytes_.size(); }
  unsigned operator[](std::size_t i) const {
    return i < bytes_.size() ? static_cast<std::uint8_t>(bytes_[i]) : 0xFFU;
  }

 private:
  std::string_view bytes_;
};

bool between(unsigned byte, unsigned low, unsigned high) { return byte >= low && byte <= high; }

bool continues(unsigned byte) { return between(byte, 0x80, 0xBF); }

// Length of a sequence that would be UTF-8 if its one space were byte A0; 0 for none. Lead bytes
// are limited to those with which that makes a likely character (ftfy/chardata.py,
// ALTERED_UTF8_RE).
std::size_t altered_sequence(const Bytes& b, std::size_t i) {
  constexpr std::string_view kTwoByteLeads = "\xC2\xC3\xC5\xCE\xD0\xD9";
  const unsigned lead = b[i];
  const auto inner = [](unsigned byte) { return continues(byte) && byte != 0x85 && byte != 0xA0; };
  if (kTwoByteLeads.find(static_cast<char>(lead)) != kTwoByteLeads.npos)
    return b[i + 1] == ' ' ? 2 : 0;
  if (between(lead, 0xE0, 0xE3)) {
    if (lead >= 0xE2 && b[i + 1] == ' ' && inner(b[i + 2])) return 3;
    return inner(b[i + 1]) && b[i + 2] == ' ' ? 3 : 0;
  }
  if (lead == 0xF0) {
    int spaces = 0;
    for (std::size_t k = 1; k < 4; ++k) {
      if (b[i + k] != ' ' && !continues(b[i + k])) return 0;
      spaces += b[i + k] == ' ' ? 1 : 0;
    }
    return spaces == 1 ? 4 : 0;
  }
  return 0;
}

// "\xC3 " before a word of its own is "à ", of which only one byte was lost, not "à" stuck to the
// next word; but not before the Portuguese "às", "àquele", "àquela", "àquilo".
bool is_a_grave_word(std::string_view bytes, std::size_t i) {
  if (bytes.substr(i, 2) != "\xC3 ") return false;
  const std::string_view after = bytes.substr(i + 2);
  for (const std::string_view stuck : {" ", "quele", "quela", "quilo", "s "}) {
    if (after.starts_with(stuck)) return false;
  }
  return true;
}

// Length of a sequence of UTF-8 or CESU-8 with a lost byte (ftfy/chardata.py, LOSSY_UTF8_RE); 0 for
// none.
std::size_t lossy_sequence(const Bytes& b, std::size_t i) {
  const unsigned lead = b[i];
  const auto lost = [](unsigned byte) { return byte == kLost || byte == '?'; };
  const auto kept = [](unsigned byte) { return byte == kLost || continues(byte); };
  if (between(lead, 0xC2, 0xDF) && b[i + 1] == kLost) return 2;
  if (between(lead, 0xC2, 0xC3) && b[i + 1] == '?') return 2;
  if (lead == 0xED && between(b[i + 1], 0xA0, 0xAF) && b[i + 3] == 0xED &&
      between(b[i + 4], 0xB0, 0xBF)) {
    const unsigned x = b[i + 2];
    const unsigned y = b[i + 5];
    if ((lost(x) && (lost(y) || continues(y))) || ((lost(x) || continues(x)) && lost(y))) return 6;
  }
  if (between(lead, 0xE0, 0xEF)) {
    const unsigned x = b[i + 1];
    const unsigned y = b[i + 2];
    return (lost(x) && kept(y)) || (kept(x) && lost(y)) ? 3 : 0;
  }
  if (between(lead, 0xF0, 0xF4)) {
    const unsigned x = b[i + 1];
    const unsigned y = b[i + 2];
    const unsigned z = b[i + 3];
    const bool any = (lost(x) && kept(y) && kept(z)) || (kept(x) && lost(y) && kept(z)) ||
                     (kept(x) && kept(y) && lost(z));
    return any ? 4 : 0;
  }
  return lead == kLost ? 1 : 0;
}

// Length of the well-formed UTF-8 sequence at `i`, 0 for none. Source: Unicode 15, table 3-7.
std::size_t utf8_length(const Bytes& b, std::size_t i) {
  const unsigned lead = b[i];
  if (lead < 0x80) return 1;
  if (between(lead, 0xC2, 0xDF)) return continues(b[i + 1]) ? 2 : 0;
  if (between(lead, 0xE0, 0xEF)) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return between(b[i + 1], low, high) && continues(b[i + 2]) ? 3 : 0;
  }
  if (between(lead, 0xF0, 0xF4)) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
    return between(b[i + 1], low, high) && continues(b[i + 2]) && continues(b[i + 3]) ? 4 : 0;
  }
  return 0;
}

// Whether six bytes are a pair of surrogates, each written as three bytes. The reference's
// expression ends in "$", which also matches before a closing line feed: then the line feed is read
// as the sixth byte.
bool is_cesu8(const Bytes& b, std::size_t i) {
  const bool closing = i + 6 == b.size() && b[i + 5] == '\n';
  return b[i] == 0xED && between(b[i + 1], 0xA0, 0xAF) && continues(b[i + 2]) && b[i + 3] == 0xED &&
         between(b[i + 4], 0xB0, 0xBF) && (continues(b[i + 5]) || closing);
}

// Whether the two bytes at `i` are Java's U+0000; a closing line feed passes for the second, as
// above.
bool is_java_null(const Bytes& b, std::size_t i) {
  return b[i] == 0xC0 && (b[i + 1] == 0x80 || (i + 2 == b.size() && b[i + 1] == '\n'));
}

}  // namespace

std::string restore_byte_a0(std::string bytes) {
  std::string words;
  words.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    words.push_back(bytes[i]);
    if (is_a_grave_word(bytes, i)) words.push_back('\xA0');
  }
  const Bytes view(words);
  for (std::size_t i = 0; i < words.size();) {
    const std::size_t size = altered_sequence(view, i);
    std::replace(words.begin() + static_cast<std::ptrdiff_t>(i),
                 words.begin() + static_cast<std::ptrdiff_t>(i + size), ' ', '\xA0');
    i += std::max<std::size_t>(size, 1);
  }
  return words;
}

std::string replace_lossy_sequences(std::string bytes) {
  const Bytes view(bytes);
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t size = lossy_sequence(view, i);
    if (size == 0) {
      out.push_back(bytes[i++]);
    } else {
      out += "\xEF\xBF\xBD";
      i += size;
    }
  }
  return out;
}

std::optional<std::u32string> decode_utf8_variants(std::string_view bytes) {
  const Bytes b(bytes);
  std::u32string out;
  out.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size();) {
    if (is_java_null(b, i)) {
      out.push_back(0);
      i += 2;
    } else if (is_cesu8(b, i)) {
      out.push_back(((b[i + 1] & 0x0FU) << 16) + ((b[i + 2] & 0x3FU) << 10) +
                    ((b[i + 4] & 0x0FU) << 6) + (b[i + 5] & 0x3FU) + 0x10000);
      i += 6;
    } else {
      const std::size_t size = utf8_length(b, i);
      if (size == 0) return std::nullopt;
      out += code_points(bytes.substr(i, size));
      i += size;
    }
  }
  return out;
}

}  // namespace tandem
