#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tandem {

double learning_rate(const ScheduleConfig& config, std::int64_t step, std::int64_t total) {
  if (step < config.warmup_steps) {
    return config.lr * static_cast<double>(step + 1) / static_cast<double>(config.warmup_steps);
  }
  const double span = std::max<double>(1, static_cast<double>(total - config.warmup_steps));
  const double done = std::min(1.0, static_cast<double>(step - config.warmup_steps) / span);
  switch (config.kind) {
    case ScheduleConfig::Kind::kCosine:
      return config.lr * 0.5 * (1 + std::cos(std::numbers::pi * done));
    case ScheduleConfig::Kind::kTrapezoid: {
      const double cooldown_steps = config.cooldown * static_cast<double>(total);
      const double left = static_cast<double>(total - step);
      if (left >= cooldown_steps) return config.lr;
      return config.lr * (1 - std::sqrt(1 - std::max(0.0, left) / cooldown_steps));
    }
  }
  return config.lr;
}

}  // namespace tandem
