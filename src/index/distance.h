// Scores of one query against many stored rows, and the best of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tandem {

// scores[i] = dot(query, row i), in float32, with the widest vector instructions that this
// processor has. query: (D), rows: (N,D) of IEEE half bits, scores: (N).
void dot_rows(std::span<const float> query, std::span<const std::uint16_t> rows,
              std::span<float> scores);

// Exact dot product of `count` integers; none is -128.
std::int32_t dot_integers(const std::int8_t* a, const std::int8_t* b, std::size_t count);

struct Scored {
  std::int64_t id = 0;
  float score = 0;
};

// Higher scores first, equal ones by id. NaN counts as the lowest score.
bool ranks_before(const Scored& a, const Scored& b);

// Keeps the best `k` of what it is offered. O(log k) an offer, most of them O(1).
class TopK {
 public:
  explicit TopK(std::size_t k) : k_(k) {}
  void offer(Scored candidate);
  void merge(const TopK& other);
  std::vector<Scored> sorted() const;  // best first

 private:
  std::size_t k_;
  std::vector<Scored> heap_;  // the worst of the kept ones in front
};

// Stored rows to search. Borrows everything.
struct RowSet {
  std::span<const std::int64_t> ids;    // (N), ascending
  std::span<const std::uint16_t> rows;  // (N,D) halves
  // Positions of the rows that count, ascending; nothing: all of them.
  std::optional<std::span<const std::size_t>> selected;
};

// The best `k` rows for a query (D). `threads` as in parallel_for; small inputs use one.
std::vector<Scored> best_rows(std::span<const float> query, const RowSet& set, std::size_t k,
                              std::size_t threads);

}  // namespace tandem
