// The pre-tokenisers of tokenizer.json, equal to Hugging Face's tokenizers. Immutable; safe to
// share.
#pragma once

#include <memory>
#include <vector>

#include "preprocess/json_normalizer.h"

namespace tandem {

class JsonSplitter {
 public:
  virtual ~JsonSplitter() = default;
  // Replaces each stretch that is not an added token by the words it falls into; none is empty.
  // Linear time.
  virtual void split(std::vector<Stretch>& stretches) const = 0;
};

// Throws kCorrupt; kUnsupported naming a kind or a regular expression that is not known.
std::unique_ptr<JsonSplitter> make_json_splitter(const JsonPart& part);

}  // namespace tandem
