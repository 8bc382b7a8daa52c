// SentencePiece's precompiled character map: a double-array trie from byte sequences to their
// replacements. Immutable after construction; safe to share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem {

// charsmap := trie_bytes:u32 unit:u32[trie_bytes/4] (replacement bytes, NUL)*
class Charsmap {
 public:
  Charsmap() = default;  // empty: replaces nothing
  // `name` names it in messages. Throws kCorrupt: sizes that do not fit, a trie that can lead
  // outside itself or to no replacement.
  Charsmap(std::string_view bytes, const std::string& name);

  bool empty() const { return units_.empty(); }

  // Whether all replacements are UTF-8, which tokenizers asks for and sentencepiece does not.
  bool is_utf8() const;

  struct Match {
    std::size_t size = 0;          // bytes of the text that match; 0: none
    std::string_view replacement;  // owned by this map
  };
  // The longest (sentencepiece) or the shortest (tokenizers) sequence that `text` begins with.
  Match longest(std::string_view text) const { return match(text, Stop::kAtLast); }
  Match shortest(std::string_view text) const { return match(text, Stop::kAtFirst); }

 private:
  enum class Stop { kAtFirst, kAtLast };
  Match match(std::string_view text, Stop stop) const;
  void check(const std::string& name) const;

  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

}  // namespace tandem
