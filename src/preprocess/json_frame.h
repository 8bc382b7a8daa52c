// What tokenizer.json says around its model: the ids before and after every text, and the parts
// that Tandem does not need but reads as strictly as the reference.
#pragma once

#include <cstdint>
#include <vector>

#include "preprocess/json_part.h"

namespace tandem {

struct JsonAffixes {
  std::vector<std::int32_t> prefix;
  std::vector<std::int32_t> suffix;
};

// The post-processor's ids around a single text. Throws kCorrupt, kUnsupported.
JsonAffixes read_json_affixes(const JsonPart& part);

// Decoder, truncation and padding: checked, not used. Throws kCorrupt, kUnsupported.
void check_json_decoder(const JsonPart& part);
void check_json_truncation(const JsonPart& part);
void check_json_padding(const JsonPart& part);

}  // namespace tandem
