// SentencePiece's byte-pair merging: neighbours that together are a piece merge, the highest score
// first. Borrows the model's parts.
#pragma once

#include <string_view>
#include <vector>

#include "preprocess/piece_trie.h"
#include "preprocess/sentencepiece_model.h"

namespace tandem {

struct SentencePieceBpe {
  // A stretch of the text.
  struct Symbol {
    std::size_t begin;
    std::size_t size;
    bool frozen;  // never merges
  };

  // The stretches that are left when nothing merges any more, in order; those whose piece is marked
  // unused are taken apart again the way they merged. n log n in the number of symbols, which cover
  // `text`.
  std::vector<Symbol> merge(std::string_view text, std::vector<Symbol> symbols) const;

  const PieceTrie& pieces;  // the caller's
  const SentencePieceModel& model;
};

}  // namespace tandem
