// Checkpoints of a run: OUT/checkpoints/step-NNNNNNNNN/, each a model folder that load_checkpoint
// reads (live weights, float32) with the optimiser's state and the place in the run beside it.
// A folder appears whole (written aside, renamed) or not at all; the newest two are kept.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/tensor.h"
#include "model/config.h"

namespace tandem {

struct RunState {
  std::int64_t step = 0;  // steps done: the next batch's number
  std::string config_hash;
  double seconds = 0;  // of training, over all sittings
};

struct SavedRun {
  RunState state;
  TensorMap values;
  TensorMap optimiser;
};

void save_run(const std::filesystem::path& out, const RunState& state, const ModelConfig& model,
              const TensorMap& values, const TensorMap& optimiser);

// The newest whole checkpoint, or nothing. Throws kCorrupt.
std::optional<SavedRun> load_latest_run(const std::filesystem::path& out);

}  // namespace tandem
