// A training run: data to weights, resumable at every step.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "core/log.h"
#include "engine/encoder.h"
#include "train/config.h"

namespace tandem {

struct StepReport {
  std::int64_t step = 0;     // steps done
  std::int64_t samples = 0;  // pairs seen
  double loss = 0;
  double lr = 0;
  double scale = 0;               // exp(logit_scale)
  double grad_norm = 0;           // before clipping
  double samples_per_second = 0;  // since the report before
  double wait_share = 0;          // of that time, spent waiting for data
};

// Named measurements, e.g. "twemoji text_to_image_recall@10" -> 0.51.
using Measurements = std::map<std::string, double>;

struct TrainCallbacks {
  Log log;
  std::function<void(const StepReport&)> on_step;        // every log_steps
  std::function<Measurements(const Encoder&)> validate;  // every validate_steps and at the end
  const std::atomic<bool>* stop = nullptr;               // set: finish the step, save, return
};

enum class TrainEnd { kFinished, kStopped };

// Runs, or goes on from the newest checkpoint in config.out. Writes there: checkpoints/,
// metrics.jsonl, report.html and, when finished, model/ (the averaged weights where config.ema asks
// for them). The trace of losses after a kill equals the uninterrupted one, bit for bit, at equal
// threads. Throws kInput when the checkpoint there belongs to another config.
TrainEnd run_training(const TrainConfig& config, const TrainCallbacks& callbacks);

}  // namespace tandem
