// The added tokens of tokenizer.json: found in a text before anything else is done to it, or in its
// normalised form. Immutable after construction; safe to share.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "preprocess/json_model.h"
#include "preprocess/json_normalizer.h"
#include "preprocess/piece_trie.h"

namespace tandem {

class JsonAddedTokens {
 public:
  // Reads "added_tokens" of `root`. Tokens that the model has keep its ids, others are counted on
  // from its size, whatever the file says: as the reference does. `normalizer` may be null. Throws
  // kCorrupt.
  JsonAddedTokens(const JsonPart& root, const JsonModel& model, const JsonNormalizer* normalizer);

  // The text as stretches: added tokens with their ids, and normalised text between them; none is
  // empty.
  std::vector<Stretch> extract(std::string_view text, const JsonNormalizer* normalizer) const;

  // Id of exactly this token, of the model's too; -1 if there is none.
  std::int32_t id(std::string_view content) const;

 private:
  struct Token {
    bool single_word;
    bool lstrip;
    bool rstrip;
    bool normalized;
    std::string content;
    std::string pattern;  // what is looked for
  };

  void add(const JsonPart& part, const JsonModel& model, const JsonNormalizer* normalizer);
  PieceTrie patterns(const JsonPart& root, bool normalized) const;
  void split(const Stretch& stretch, const PieceTrie& patterns, std::vector<Stretch>& out) const;

  const JsonModel& model_;  // the tokenizer's
  std::map<std::int32_t, Token> tokens_;
  std::map<std::string, std::int32_t, std::less<>> ids_;
  std::int32_t next_id_;
  PieceTrie plain_;
  PieceTrie normalized_;
};

}  // namespace tandem
