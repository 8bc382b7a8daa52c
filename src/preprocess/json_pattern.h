// What tokenizer.json splits and replaces by: plain strings, and the few regular expressions that
// known models use, recognised by their exact text and matched by scanners written for them. No
// regular expression of a file is ever executed. Immutable; safe to share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "preprocess/json_part.h"

namespace tandem {

// Part of a text that matches or lies between matches.
struct Span {
  std::size_t begin;
  std::size_t end;
  bool matches;
};

class JsonPattern {
 public:
  // `part` is {"String": …} or {"Regex": …}. Throws kCorrupt; kUnsupported for an unknown regular
  // expression and an empty string.
  explicit JsonPattern(const JsonPart& part);

  // Spans that cover the text, in order, none of them empty. Linear time.
  std::vector<Span> find(std::u32string_view text) const;

  // Characters of the match that begins exactly at `at`; 0 for none.
  using Scanner = std::size_t (*)(std::u32string_view text, std::size_t at);

 private:
  std::u32string literal_;
  Scanner scanner_ = nullptr;
};

// Spans of a text by a scanner.
std::vector<Span> scan(std::u32string_view text, JsonPattern::Scanner scanner);

// GPT-2's pattern: contractions, words, numbers and other runs with the space before them, white
// space.
std::size_t scan_gpt2(std::u32string_view text, std::size_t at);

}  // namespace tandem
