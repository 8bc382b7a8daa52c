// How well a model finds a picture by its words, measured while it trains.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/encoder.h"
#include "preprocess/tokenizer.h"
#include "train/trainer.h"

namespace tandem {

// Share of queries with a picture of their own group among their k nearest. images: (B,E), texts:
// (N,E), unit rows; ties count against the query.
double recall_at(const Matrix& images, std::span<const std::int64_t> image_groups,
                 const Matrix& texts, std::span<const std::int64_t> text_groups, std::size_t k);

// Pictures and queries of validation shards, ready to encode.
class RecallSet {
 public:
  // One query a group: its phrase or, without one, its first caption.
  RecallSet(std::string name, const std::vector<std::string>& shards, const Tokenizer& tokenizer,
            const PreprocessConfig& preprocess);
  // "NAME r@1", "NAME r@5", "NAME r@10".
  Measurements measure(const Encoder& encoder) const;
  int pictures() const { return pixels_.count; }

 private:
  std::string name_;
  PixelBatch pixels_;
  TokenBatch tokens_;
  std::vector<std::int64_t> image_groups_;
  std::vector<std::int64_t> text_groups_;
};

}  // namespace tandem
