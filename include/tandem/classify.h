// Zero-shot classification: any words are classes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tandem/model.h"

namespace tandem {

struct Labels {
  std::vector<std::string> names;
  std::vector<std::string> templates;  // each with "{}", where the name goes
};

// Labels with the templates given; by default a single plain one.
Labels labels(std::vector<std::string> names,
              std::vector<std::string> templates = {"a photo of a {}."});

struct ScoredLabel {
  std::size_t label = 0;  // index into Labels::names
  // Softmax over all labels of logit scale times cosine; for models with a logit bias (SigLIP) the
  // sigmoid of logit scale times cosine plus bias, of this label alone.
  float probability = 0;
};

// images: (B,E) unit rows. For each picture all labels, most probable first; equal ones in the
// order given. Throws kInput without labels.
std::vector<std::vector<ScoredLabel>> classify(const Model& model, const Matrix& images,
                                               const Labels& labels);

}  // namespace tandem
