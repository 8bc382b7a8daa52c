// The normalisers of tokenizer.json, equal to Hugging Face's tokenizers. Immutable; safe to share.
#pragma once

#include <memory>
#include <string>

#include "preprocess/json_part.h"

namespace tandem {

// A stretch of text on its way through a tokenizer.
struct Stretch {
  std::u32string text;
  bool at_start = false;  // its first character is the first of the whole text
  std::int32_t id = -1;   // of an added token; -1: text
};

class JsonNormalizer {
 public:
  virtual ~JsonNormalizer() = default;
  // Linear time, but for Precompiled's longest rule.
  virtual void apply(Stretch& stretch) const = 0;
};

// Throws kCorrupt; kUnsupported naming a kind or a regular expression that is not known.
std::unique_ptr<JsonNormalizer> make_json_normalizer(const JsonPart& part);

// Lower case, then `next`, which may be null.
std::unique_ptr<JsonNormalizer> lowercase_before(std::unique_ptr<JsonNormalizer> next);

}  // namespace tandem
