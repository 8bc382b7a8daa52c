#include "preprocess/sentencepiece_bpe.h"

#include <cstdint>
#include <queue>
#include <unordered_map>

namespace tandem {
namespace {

constexpr std::uint32_t kEnd = 0xFFFFFFFF;

// Two neighbours that may merge.
struct Pair {
  float score;
  std::uint32_t left;
  std::uint32_t right;
  std::size_t size;  // of both, when the pair was found: a pair that has changed since is stale

  // For a queue whose top is the highest score, the leftmost among equals.
  bool operator<(const Pair& other) const {
    return score != other.score ? score < other.score : left > other.left;
  }
};

class Merger {
 public:
  Merger(const SentencePieceBpe& bpe, std::string_view text,
         std::vector<SentencePieceBpe::Symbol> symbols)
      : bpe_(bpe), text_(text), symbols_(std::move(symbols)) {
    const auto count = static_cast<std::uint32_t>(symbols_.size());
    previous_.resize(count);
    next_.resize(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      previous_[i] = i == 0 ? kEnd : i - 1;
      next_[i] = i + 1 == count ? kEnd : i + 1;
    }
  }

  std::vector<SentencePieceBpe::Symbol> run() {
    for (std::uint32_t i = 1; i < symbols_.size(); ++i) offer(i - 1, i);
    while (!queue_.empty()) {
      const Pair top = queue_.top();
      queue_.pop();
      auto& left = symbols_[top.left];
      auto& right = symbols_[top.right];
      if (left.size == 0 || right.size == 0 || left.size + right.size != top.size) continue;
      left.size = top.size;
      right.size = 0;
      next_[top.left] = next_[top.right];
      if (next_[top.right] != kEnd) previous_[next_[top.right]] = top.left;
      offer(previous_[top.left], top.left);
      offer(top.left, next_[top.left]);
    }
    std::vector<SentencePieceBpe::Symbol> out;
    for (std::uint32_t i = symbols_.empty() ? kEnd : 0; i != kEnd; i = next_[i]) {
      append(symbols_[i], out);
    }
    return out;
  }

 private:
  std::int32_t find(std::size_t begin, std::size_t size) const {
    return bpe_.pieces.find(text_.substr(begin, size));
  }

  bool is_unused(std::int32_t id) const {
    return id >= 0 && bpe_.model.pieces[static_cast<std::size_t>(id)].type == PieceType::kUnused;
  }

  void offer(std::uint32_t left, std::uint32_t right) {
    if (left == kEnd || right == kEnd || symbols_[left].frozen || symbols_[right].frozen) return;
    const std::size_t size = symbols_[left].size + symbols_[right].size;
    const std::int32_t id = find(symbols_[left].begin, size);
    if (id < 0) return;
    queue_.push({bpe_.model.pieces[static_cast<std::size_t>(id)].score, left, right, size});
    if (is_unused(id)) {
      first_halves_[text_.substr(symbols_[left].begin, size)] = symbols_[left].size;
    }
  }

  // A symbol, or the halves it was made of if its piece is unused.
  void append(const SentencePieceBpe::Symbol& symbol,
              std::vector<SentencePieceBpe::Symbol>& out) const {
    std::vector<SentencePieceBpe::Symbol> open{symbol};
    while (!open.empty()) {
      const auto part = open.back();
      open.pop_back();
      const auto half = is_unused(find(part.begin, part.size))
                            ? first_halves_.find(text_.substr(part.begin, part.size))
                            : first_halves_.end();
      if (half == first_halves_.end()) {
        out.push_back(part);
        continue;
      }
      const std::size_t first = half->second;
      open.push_back({part.begin + first, part.size - first, false});
      open.push_back({part.begin, first, false});
    }
  }

  const SentencePieceBpe& bpe_;
  std::string_view text_;
  std::vector<SentencePieceBpe::Symbol> symbols_;
  std::vector<std::uint32_t> previous_;
  std::vector<std::uint32_t> next_;
  std::priority_queue<Pair> queue_;
  std::unordered_map<std::string_view, std::size_t> first_halves_;  // of unused pieces
};

}  // namespace

std::vector<SentencePieceBpe::Symbol> SentencePieceBpe::merge(std::string_view text,
                                                              std::vector<Symbol> symbols) const {
  return Merger(*this, text, std::move(symbols)).run();
}

}  // namespace tandem
