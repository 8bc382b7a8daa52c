// Hugging Face's tokenizer.json: added tokens, normaliser, pre-tokeniser, model and post-processor,
// equal to tokenizers' encode(). What the file says about truncation and padding is the model's
// matter (TokenizerSpec) and left out.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "preprocess/id_source.h"

namespace tandem {

struct TokenizerJsonOptions {
  bool lowercase = false;  // before the file's own normaliser
};

// `name` names the file in messages. Throws kCorrupt for what tokenizers refuses (and for what it
// would only fail on later), kUnsupported naming a part, option or regular expression that Tandem
// lacks.
std::unique_ptr<IdSource> read_tokenizer_json(std::string_view text, const std::string& name,
                                              const TokenizerJsonOptions& options = {});

}  // namespace tandem
