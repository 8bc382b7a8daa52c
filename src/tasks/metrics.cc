#include "tasks/metrics.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <numeric>

namespace tandem {

std::vector<std::size_t> top_k(std::span<const float> scores, std::size_t k) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto better = [&](std::size_t a, std::size_t b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  };
  k = std::min(k, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
                    better);
  order.resize(k);
  return order;
}

std::size_t rank_of_first(std::span<const float> scores, const std::vector<bool>& right) {
  assert(scores.size() == right.size());
  float best = -std::numeric_limits<float>::infinity();
  bool any = false;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!right[i]) continue;
    any = true;
    best = std::max(best, scores[i]);
  }
  if (!any) return scores.size();
  std::size_t before = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) before += !right[i] && scores[i] >= best;
  return before;
}

Estimate bootstrap(std::span<const double> hits, Rng rng, std::size_t resamples) {
  Estimate estimate;
  estimate.samples = hits.size();
  if (hits.empty()) return estimate;
  const auto n = static_cast<double>(hits.size());
  estimate.mean = std::accumulate(hits.begin(), hits.end(), 0.0) / n;
  std::vector<double> means(resamples);
  for (auto& mean : means) {
    double sum = 0;
    for (std::size_t i = 0; i < hits.size(); ++i) sum += hits[rng.below(hits.size())];
    mean = sum / n;
  }
  std::sort(means.begin(), means.end());
  const auto at = [&](double share) {
    return means[static_cast<std::size_t>(share * static_cast<double>(resamples - 1))];
  };
  estimate.low = at(0.025);
  estimate.high = at(0.975);
  return estimate;
}

Estimate share_within(std::span<const std::size_t> ranks, std::size_t k, const Rng& rng) {
  std::vector<double> hits;
  hits.reserve(ranks.size());
  for (const auto rank : ranks) hits.push_back(rank < k ? 1 : 0);
  return bootstrap(hits, rng);
}

}  // namespace tandem
