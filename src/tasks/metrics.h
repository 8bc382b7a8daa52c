// Measures of ranking and their uncertainty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/rng.h"

namespace tandem {

// The indices of the k largest scores, largest first; equal scores by index. Fewer when there are
// fewer scores.
std::vector<std::size_t> top_k(std::span<const float> scores, std::size_t k);

// Place, from 0, of the best-scored candidate that is right: how many candidates stand before it.
// Among equal scores wrong ones stand first, so that a model which scores everything alike gains
// nothing. `right[i]` says whether candidate i is right. scores.size() when none is right.
std::size_t rank_of_first(std::span<const float> scores, const std::vector<bool>& right);

// A mean with a percentile bootstrap interval over the samples.
struct Estimate {
  double mean = 0;
  double low = 0;   // 2.5 %
  double high = 0;  // 97.5 %
  std::size_t samples = 0;
};

// Resamples `hits` (one value a sample, often 0 or 1) with replacement. Deterministic for equal
// `rng`. Source: Efron 1979.
Estimate bootstrap(std::span<const double> hits, Rng rng, std::size_t resamples = 2000);

// The share of ranks below k, with its interval: recall@k over queries, top-k accuracy over
// pictures.
Estimate share_within(std::span<const std::size_t> ranks, std::size_t k, const Rng& rng);

}  // namespace tandem
