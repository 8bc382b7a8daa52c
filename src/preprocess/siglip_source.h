// transformers' SiglipTokenizer around a SentencePiece model: its own cleaning, special tokens read
// in the text, and a space of its own instead of the model's.
#pragma once

#include <memory>

#include "preprocess/id_source.h"
#include "preprocess/sentencepiece.h"

namespace tandem {

// `end_id` (`</s>`) ends every text that does not end with it already. Throws kInput if it is not a
// piece of the model.
std::unique_ptr<IdSource> make_siglip_source(SentencePiece model, std::int32_t end_id);

}  // namespace tandem
