// The models of tokenizer.json: a word to ids, equal to Hugging Face's tokenizers. Immutable; safe
// to share.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "preprocess/json_part.h"
#include "preprocess/piece_trie.h"

namespace tandem {

class JsonModel {
 public:
  virtual ~JsonModel() = default;
  // Appends the ids of a word of UTF-8 that is not empty.
  virtual void append(std::string_view word, std::vector<std::int32_t>& ids) const = 0;
  // Id of exactly this token; -1 if there is none.
  virtual std::int32_t id(std::string_view token) const = 0;
  virtual std::int32_t count() const = 0;       // of tokens
  virtual std::int32_t highest_id() const = 0;  // -1 if there are none
};

// The tokens of "vocab", an object of token: id.
class JsonVocabulary {
 public:
  explicit JsonVocabulary(const JsonPart& model);
  std::int32_t id(std::string_view token) const { return trie_.find(token); }
  std::int32_t count() const { return count_; }
  std::int32_t highest_id() const { return highest_; }
  const PieceTrie& trie() const { return trie_; }
  // The id of a token that has to be there.
  std::int32_t required(const JsonPart& model, std::string_view key, std::string_view token) const;

 private:
  PieceTrie trie_;
  std::int32_t count_ = 0;
  std::int32_t highest_ = -1;
};

// Throws kCorrupt for what tokenizers refuses, and for what it would only fail on later;
// kUnsupported naming a kind or option that Tandem lacks.
std::unique_ptr<JsonModel> make_json_model(const JsonPart& part);

std::unique_ptr<JsonModel> make_json_bpe(const JsonPart& part);        // json_bpe.cc
std::unique_ptr<JsonModel> make_json_unigram(const JsonPart& part);    // json_unigram.cc
std::unique_ptr<JsonModel> make_json_wordpiece(const JsonPart& part);  // json_wordpiece.cc

// Ids of "<0x00>" to "<0xFF>"; -1 where there is none.
std::vector<std::int32_t> byte_ids(const PieceTrie& tokens);

}  // namespace tandem
