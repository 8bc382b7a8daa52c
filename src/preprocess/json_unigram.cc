// Unigram as tokenizers has it: like SentencePiece's, but in double precision, with every token in
// play, and runs of unknown characters looked up again as a whole.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "preprocess/json_model.h"

namespace tandem {
namespace {

constexpr double kUnknownPenalty = 10;

// Bytes of the character that begins well-formed UTF-8.
std::size_t character_size(char lead) {
  const auto byte = static_cast<std::uint8_t>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

class Unigram final : public JsonModel {
 public:
  explicit Unigram(const JsonPart& part) {
    const json::array& vocabulary = part.array("vocab");
    std::vector<std::pair<std::string_view, std::int32_t>> entries;
    lowest_score_ = std::numeric_limits<double>::infinity();
    for (const json::value& row : vocabulary) {
      const json::array* pair = row.if_array();
      if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_string() ||
          !(*pair)[1].is_number()) {
        part.corrupt("vocab", "pairs of a token and its score");
      }
      const auto score = (*pair)[1].to_number<double>();
      if (!std::isfinite(score)) part.corrupt("vocab", "finite scores");
      entries.emplace_back((*pair)[0].get_string(), static_cast<std::int32_t>(scores_.size()));
      scores_.push_back(score);
      lowest_score_ = std::min(lowest_score_, score);
    }
    trie_ = PieceTrie(std::move(entries));
    unknown_ = part.optional_id("unk_id").value_or(-1);
    if (unknown_ < 0) part.unsupported("a Unigram model without unk_id.");
    if (unknown_ >= count()) part.corrupt("unk_id", "a place in the vocabulary");
    if (part.boolean("byte_fallback", false)) bytes_ = byte_ids(trie_);
  }

  void append(std::string_view word, std::vector<std::int32_t>& ids) const override {
    const std::vector<Best> best = best_paths(word);
    std::vector<std::size_t> ends;  // of the path's pieces, last first
    for (std::size_t end = word.size(); end > 0; end = best[end].start) ends.push_back(end);
    std::size_t begin = 0;
    while (!ends.empty()) {
      std::size_t end = ends.back();
      ends.pop_back();
      const bool unknown = best[end].id == unknown_;
      while (unknown && !ends.empty() && best[ends.back()].id == unknown_) {
        end = ends.back();
        ends.pop_back();
      }
      append_piece(word.substr(begin, end - begin), ids);
      begin = end;
    }
  }

  std::int32_t id(std::string_view token) const override { return trie_.find(token); }
  std::int32_t count() const override { return static_cast<std::int32_t>(scores_.size()); }
  std::int32_t highest_id() const override { return count() - 1; }

 private:
  // The best path that ends at a byte.
  struct Best {
    std::size_t start = 0;
    double score = 0;
    std::int32_t id = -1;
  };

  std::vector<Best> best_paths(std::string_view text) const {
    std::vector<Best> best(text.size() + 1);
    const auto offer = [&](std::size_t start, std::size_t end, double score, std::int32_t id) {
      if (best[end].id < 0 || score > best[end].score) best[end] = {start, score, id};
    };
    for (std::size_t start = 0; start < text.size();) {
      const double so_far = best[start].score;
      const std::size_t size = character_size(text[start]);
      bool has_character = false;
      PieceTrie::Node node = trie_.empty() ? PieceTrie::kNowhere : PieceTrie::kRoot;
      for (std::size_t end = start; end < text.size() && node != PieceTrie::kNowhere;) {
        node = trie_.step(node, static_cast<std::uint8_t>(text[end++]));
        if (node == PieceTrie::kNowhere || trie_.value(node) < 0) continue;
        const std::int32_t id = trie_.value(node);
        offer(start, end, scores_[static_cast<std::size_t>(id)] + so_far, id);
        has_character |= end - start == size;
      }
      if (!has_character) {
        offer(start, start + size, lowest_score_ - kUnknownPenalty + so_far, unknown_);
      }
      start += size;
    }
    return best;
  }

  void append_piece(std::string_view piece, std::vector<std::int32_t>& ids) const {
    if (const std::int32_t known = trie_.find(piece); known >= 0) {
      ids.push_back(known);
      return;
    }
    const auto byte_id = [&](char c) { return bytes_[static_cast<std::uint8_t>(c)]; };
    const bool falls_back = !bytes_.empty() && std::all_of(piece.begin(), piece.end(),
                                                           [&](char c) { return byte_id(c) >= 0; });
    if (!falls_back) {
      ids.push_back(unknown_);
      return;
    }
    for (const char c : piece) ids.push_back(byte_id(c));
  }

  PieceTrie trie_;
  std::vector<double> scores_;       // by id
  std::vector<std::int32_t> bytes_;  // empty: no byte fallback
  double lowest_score_ = 0;
  std::int32_t unknown_ = -1;
};

}  // namespace

std::unique_ptr<JsonModel> make_json_unigram(const JsonPart& part) {
  return std::make_unique<Unigram>(part);
}

}  // namespace tandem
