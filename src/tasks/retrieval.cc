#include "tasks/retrieval.h"

#include <algorithm>
#include <cassert>
#include <map>

#include "tasks/metrics.h"
#include "tasks/zero_shot.h"

namespace tandem {
namespace {

// Queries scored at a time: bounds the score matrix.
constexpr std::size_t kBlock = 256;

Matrix rows_of(const Matrix& from, std::size_t begin, std::size_t count) {
  Matrix out(count, from.cols);
  std::copy_n(from.values.begin() + static_cast<std::ptrdiff_t>(begin * from.cols),
              count * from.cols, out.values.begin());
  return out;
}

std::map<std::int64_t, std::size_t> count_groups(std::span<const std::int64_t> groups) {
  std::map<std::int64_t, std::size_t> counts;
  for (const auto group : groups) ++counts[group];
  return counts;
}

}  // namespace

std::vector<std::size_t> retrieval_ranks(const Matrix& queries,
                                         std::span<const std::int64_t> query_groups,
                                         const Matrix& candidates,
                                         std::span<const std::int64_t> candidate_groups) {
  assert(queries.rows == query_groups.size() && candidates.rows == candidate_groups.size());
  const auto known = count_groups(candidate_groups);
  std::vector<std::size_t> ranks;
  std::vector<bool> right(candidates.rows);
  for (std::size_t begin = 0; begin < queries.rows; begin += kBlock) {
    const auto count = std::min(kBlock, queries.rows - begin);
    const auto scores = cosines(rows_of(queries, begin, count), candidates);
    for (std::size_t q = 0; q < count; ++q) {
      const auto group = query_groups[begin + q];
      if (!known.contains(group)) continue;
      for (std::size_t c = 0; c < right.size(); ++c) right[c] = candidate_groups[c] == group;
      ranks.push_back(rank_of_first(scores.row(q), right));
    }
  }
  return ranks;
}

double chance_recall(std::span<const std::int64_t> query_groups,
                     std::span<const std::int64_t> candidate_groups, std::size_t k) {
  const auto known = count_groups(candidate_groups);
  const auto total = candidate_groups.size();
  double sum = 0;
  std::size_t asked = 0;
  for (const auto group : query_groups) {
    const auto found = known.find(group);
    if (found == known.end()) continue;
    double miss = 1;  // no right one among k drawn without replacement
    for (std::size_t i = 0; i < std::min(k, total); ++i) {
      const auto wrong_left = static_cast<double>(total - found->second) - static_cast<double>(i);
      miss *= std::max(0.0, wrong_left) / static_cast<double>(total - i);
    }
    sum += 1 - miss;
    ++asked;
  }
  return asked == 0 ? 0 : sum / static_cast<double>(asked);
}

}  // namespace tandem
