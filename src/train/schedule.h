// Learning rate over a run, and nothing else.
#pragma once

#include <cstdint>

namespace tandem {

struct ScheduleConfig {
  enum class Kind {
    kCosine,     // half a cosine from lr to 0 after the warm-up
    kTrapezoid,  // lr until the last `cooldown` share, then 1 - sqrt to 0 (Hägele et al. 2024)
  };
  Kind kind = Kind::kCosine;
  double lr = 5e-4;
  std::int64_t warmup_steps = 0;  // linear from 0
  double cooldown = 0.3;          // share of all steps; kTrapezoid only
};

// The rate of step `step` of `total`, both counted from 0. As open_clip's schedulers: the warm-up
// ends at lr with step warmup_steps - 1.
double learning_rate(const ScheduleConfig& config, std::int64_t step, std::int64_t total);

}  // namespace tandem
