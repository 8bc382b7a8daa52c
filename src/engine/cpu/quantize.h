// The float32 pass that quantising begins with.
#pragma once

#include "engine/cpu/observations.h"
#include "model/checkpoint.h"
#include "preprocess/tokenizer.h"
#include "preprocess/transform.h"

namespace tandem {

struct ObserveOptions {
  int samples = 0;  // rows of each matrix's inputs to keep
  int threads = 1;
};

// Runs both towers in float32 and watches their norms and matrix products. Throws as
// make_cpu_encoder does. Requires: float weights; pictures and texts as the model takes them.
Observations observe_model(const Checkpoint& checkpoint, const PixelBatch& pictures,
                           const TokenBatch& texts, const ObserveOptions& options);

}  // namespace tandem
