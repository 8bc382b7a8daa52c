#include "preprocess/charsmap.h"

#include <cstring>

#include "core/error.h"
#include "core/utf8.h"

namespace tandem {
namespace {

// A unit of the double array. Source: Darts-clone's format.
bool has_leaf(std::uint32_t unit) { return (unit >> 8 & 1U) != 0; }
std::uint32_t value(std::uint32_t unit) { return unit & 0x7FFFFFFFU; }
bool is_value(std::uint32_t unit) { return unit >> 31 != 0; }
std::uint32_t label(std::uint32_t unit) { return unit & 0x800000FFU; }
std::size_t offset(std::uint32_t unit) {
  return static_cast<std::size_t>(unit >> 10) << ((unit & 0x200U) >> 6);
}

[[noreturn]] void fail(const std::string& name, const std::string& what) {
  throw Error(Kind::kCorrupt,
              name + ": precompiled_charsmap: " + what +
                  ". Expected SentencePiece's compiled rules: the file is damaged.");
}

}  // namespace

Charsmap::Charsmap(std::string_view bytes, const std::string& name) {
  std::uint32_t trie_bytes = 0;
  if (bytes.size() <= sizeof trie_bytes)
    fail(name, "only " + std::to_string(bytes.size()) + " bytes");
  std::memcpy(&trie_bytes, bytes.data(), sizeof trie_bytes);
  bytes.remove_prefix(sizeof trie_bytes);
  // 1024: Darts writes blocks of 256 units.
  if (trie_bytes >= bytes.size() || trie_bytes == 0 || trie_bytes % 1024 != 0) {
    fail(name,
         "a trie of " + std::to_string(trie_bytes) + " bytes in " + std::to_string(bytes.size()));
  }
  units_.resize(trie_bytes / 4);
  std::memcpy(units_.data(), bytes.data(), trie_bytes);
  replacements_ = bytes.substr(trie_bytes);
  if (replacements_.back() != '\0') fail(name, "the last replacement does not end");
  check(name);
}

// Every unit is right by itself, as sentencepiece 0.2.3 has it, and so is each that matching can
// reach: match() need not look where it steps.
void Charsmap::check(const std::string& name) const {
  const auto inside = [&](std::size_t unit) {
    if (unit >= units_.size()) fail(name, "unit " + std::to_string(unit) + " is outside the trie");
  };
  if (label(units_[0]) != 0 || has_leaf(units_[0])) fail(name, "a root that is none");
  for (std::size_t i = 0; i < units_.size(); ++i) {
    if (is_value(units_[i])) {
      if (value(units_[i]) >= replacements_.size()) fail(name, "a replacement past the end");
      continue;
    }
    // Children of one unit are in one block of 256, so with this all of them are inside.
    const std::size_t next = i ^ offset(units_[i]);
    inside(next);
    if (has_leaf(units_[i]) && !is_value(units_[next])) fail(name, "a rule without replacement");
  }
}

bool Charsmap::is_utf8() const { return tandem::is_utf8(replacements_); }

Charsmap::Match Charsmap::match(std::string_view text, Stop stop) const {
  Match found;
  if (units_.empty()) return found;
  std::size_t node = offset(units_[0]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    node ^= byte;
    const std::uint32_t unit = units_[node];
    if (label(unit) != byte) break;
    node ^= offset(unit);
    if (!has_leaf(unit)) continue;
    found = {i + 1, std::string_view(replacements_.c_str() + value(units_[node]))};
    if (stop == Stop::kAtFirst) break;
  }
  return found;
}

}  // namespace tandem
