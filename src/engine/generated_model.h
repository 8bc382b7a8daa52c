// Weights, pictures and tokens computed from a hash, for tests and benchmarks: the same numbers as
// tools/goldens/generated_model.py, so that goldens of full-size models need no stored weights.
#pragma once

#include <cstdint>

#include "model/checkpoint.h"
#include "preprocess/tokenizer.h"
#include "preprocess/transform.h"

namespace tandem {

// A whole model in float32. LayerNorm gains reach from 0.2 to 5 and a few residual channels are 20
// times larger, as in trained CLIPs, so that errors of precision show.
Checkpoint generated_model(const ModelConfig& config, std::uint64_t seed);

// Coarse blocks with noise on them.
PixelBatch generated_pictures(std::uint64_t seed, int count, int size_px);
// As the model reads them: of several sizes for a NaFlex tower.
PixelBatch generated_pictures(std::uint64_t seed, int count, const ModelConfig& config);

// Start, words, end. The first fills the context, the others are 2 to 16 long, or to its end; for a
// tower that reads its padding, padded.
TokenBatch generated_texts(std::uint64_t seed, int count, const TextConfig& config);

}  // namespace tandem
