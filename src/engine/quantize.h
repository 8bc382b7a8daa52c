// A model's matrices as 8-bit integers (model/quantised.h), and how well they agree with what they
// came from.
//
// Which matrices: those that are multiplied with every token or patch. The projections at a
// tower's end and a last block of which one row is wanted stay bf16, as embeddings do: they cost
// little, and what they lose shows. Where matrices read a norm, its output is smoothed first: a
// channel is divided by sqrt(its largest magnitude / the matrices' Euclidean length there), so that
// a few large channels do not use up the 8 bits of all others.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tandem/matrix.h"

#include "model/checkpoint.h"

namespace tandem {

struct LayerError {
  std::string matrix;
  double relative = 0;  // |integers' output - float32 output| / |float32 output|, over samples
};

struct QuantiseOptions {
  int threads = 1;
  bool layer_errors = false;
};

struct Quantised {
  TensorMap weights;
  std::vector<LayerError> layers;  // when asked for, by name
};

// Deterministic: the same numbers whenever and wherever they are made, up to float32's last digits
// in the pass over generated pictures and texts that finds the large channels. Throws kUnsupported
// for a model that is quantised already.
Quantised quantise(const Checkpoint& checkpoint, const QuantiseOptions& options);

// Writes a model folder in open_clip's layout, config last.
void save_quantised(const std::filesystem::path& folder, const ModelConfig& config,
                    const TensorMap& weights);

// How near rows of two matrices of unit vectors are.
struct RowAgreement {
  double min_cosine = 1;
  double mean_cosine = 1;
  double max_difference = 0;  // of a single number
};
// Requires: equal shapes, at least one row.
RowAgreement compare_rows(const Matrix& a, const Matrix& b);

// Share of pictures whose best text is the same: (B,E) and (N,E) of two models, unit rows.
double top_one_agreement(const Matrix& images_a, const Matrix& texts_a, const Matrix& images_b,
                         const Matrix& texts_b);

}  // namespace tandem
