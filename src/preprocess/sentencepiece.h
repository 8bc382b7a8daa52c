// SentencePiece's normaliser and its two algorithms, equal to sentencepiece's encode(). Immutable
// after construction; safe to share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "preprocess/charsmap.h"
#include "preprocess/piece_trie.h"
#include "preprocess/sentencepiece_model.h"

namespace tandem {

class SentencePiece {
 public:
  // `name` names the model in messages. Throws kCorrupt for a damaged character map.
  SentencePiece(SentencePieceModel model, const std::string& name);

  // Ids of a text, neither start nor end added. Unigram: time linear in the text times the longest
  // piece. BPE: n log n.
  std::vector<std::int32_t> encode(std::string_view text) const;

  // The text as the algorithms see it: characters replaced, white space as U+2581.
  std::string normalized(std::string_view text) const;

  // Id of exactly this piece; -1 if there is none.
  std::int32_t id(std::string_view piece) const;

  int vocab_size() const { return static_cast<int>(model_.pieces.size()); }
  const SentencePieceModel& model() const { return model_; }

 private:
  // Pieces found in a text, in order: where each ends and its id.
  struct Found {
    std::size_t end;
    std::int32_t id;
  };
  std::vector<Found> unigram(std::string_view text) const;
  std::vector<Found> bpe(std::string_view text) const;
  Charsmap::Match prefix(std::string_view text) const;

  SentencePieceModel model_;
  Charsmap charsmap_;
  PieceTrie pieces_;        // normal, user-defined and unused pieces
  PieceTrie reserved_;      // the others
  PieceTrie user_defined_;  // never taken apart nor changed
  std::vector<std::int32_t> byte_ids_;
  float lowest_score_ = 0;
};

}  // namespace tandem
