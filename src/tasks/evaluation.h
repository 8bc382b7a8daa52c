// How well a model's space holds a set of pictures of named concepts: zero-shot classification and
// retrieval, beside chance and a colour-histogram baseline.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tandem/matrix.h"

#include "core/rng.h"
#include "tasks/metrics.h"

namespace tandem {

// Pictures of concepts: picture i shows concepts[concept_of[i]].
struct EvalSet {
  std::string name;
  std::vector<std::string> concepts;    // one text each
  std::vector<std::size_t> concept_of;  // (B)
};

// One row of the results table.
struct Measure {
  std::string name;   // "text to picture, recall@10"
  Estimate model;     // with its bootstrap interval
  double chance = 0;  // expected from a random order
  std::optional<double>
      histogram;  // the colour-histogram baseline; nothing when it had nothing to learn from
};

struct EvalVectors {
  Matrix pictures;  // (B,E)
  Matrix classes;   // (N,E): concepts through templates, for zero-shot
  Matrix texts;     // (N,E): concepts as they are, for retrieval
};

// Zero-shot top-1 and top-5, and recall@1, @5, @10 both ways. Several pictures may show one
// concept: any of them answers its text. Requires: rows as EvalSet says. `rng` draws the bootstrap
// samples.
std::vector<Measure> evaluate(const EvalSet& set, const EvalVectors& vectors, const Rng& rng);

// Fills Measure::histogram. `pictures`: (B,64) histograms of the set; `concepts`: (N,64) mean
// histograms of other pictures of each concept, zero rows where there are none.
void add_baseline(const EvalSet& set, const Matrix& pictures, const Matrix& concepts,
                  std::vector<Measure>& measures);

}  // namespace tandem
