// A bucket of tokens for each key or peer. For one thread.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "serve/message.h"

namespace tandem::serve {

class RateLimit {
 public:
  // per_s: tokens that come back each second; 0: no limit. burst: most that a bucket holds; 0:
  // those of one second, at least 1.
  RateLimit(double per_s, double burst);

  // Takes one token of `who`. Seconds to wait until there is one, rounded up; 0: it was there.
  int take(const std::string& who, Clock::time_point now);
  std::size_t buckets() const { return buckets_.size(); }

 private:
  struct Bucket {
    double tokens = 0;
    Clock::time_point at;
  };
  void forget_full(Clock::time_point now);
  double tokens_at(const Bucket& bucket, Clock::time_point now) const;
  double per_s_;
  double burst_;
  std::unordered_map<std::string, Bucket> buckets_;
};

}  // namespace tandem::serve
