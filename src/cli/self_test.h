// A tiny model computed here and, once, by open_clip: whether this machine's kernels give the same
// numbers.
#pragma once

#include <string>

#include "engine/encoder.h"

namespace tandem::cli {

struct SelfTest {
  double max_difference = 0;  // between unit vectors, over all values
  double least_cosine = 1;    // over the vectors
  std::string engine;         // Encoder::describe()
};

// Runs the tiny model on the CPU engine. Throws kUnsupported when this processor cannot compute in
// `precision`.
SelfTest run_self_test(Precision precision, int threads);

}  // namespace tandem::cli
