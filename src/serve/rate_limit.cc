#include "serve/rate_limit.h"

#include <algorithm>
#include <cmath>

namespace tandem::serve {
namespace {

// Peers are strangers: what is remembered of them is bounded.
constexpr std::size_t kMostBuckets = 100'000;

}  // namespace

RateLimit::RateLimit(double per_s, double burst)
    : per_s_(per_s), burst_(burst > 0 ? burst : std::max(1.0, per_s)) {}

int RateLimit::take(const std::string& who, Clock::time_point now) {
  if (per_s_ <= 0) return 0;
  if (buckets_.size() >= kMostBuckets && !buckets_.contains(who)) forget_full(now);
  auto& bucket = buckets_.try_emplace(who, Bucket{burst_, now}).first->second;
  bucket.tokens = tokens_at(bucket, now);
  bucket.at = now;
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return 0;
  }
  return std::max(1, static_cast<int>(std::ceil((1 - bucket.tokens) / per_s_)));
}

// A full bucket says nothing that a new one would not. Where none is, the peers are so many that
// all may begin anew.
void RateLimit::forget_full(Clock::time_point now) {
  std::erase_if(buckets_,
                [&](const auto& entry) { return tokens_at(entry.second, now) >= burst_; });
  if (buckets_.size() >= kMostBuckets) buckets_.clear();
}

double RateLimit::tokens_at(const Bucket& bucket, Clock::time_point now) const {
  const std::chrono::duration<double> passed = now - bucket.at;
  return std::min(burst_, bucket.tokens + passed.count() * per_s_);
}

}  // namespace tandem::serve
