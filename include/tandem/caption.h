// Sentences about pictures, written by a CoCa model's decoder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tandem/model.h"

namespace tandem {

// Lengths are in tokens, start and end of text counted.
struct CaptionOptions {
  bool sample = false;  // draw tokens at random instead of searching for the best text
  // Texts that are kept while searching. open_clip's default of 6 beams in 3 groups is 2 here: its
  // groups differ in nothing, so that each finds the same.
  int beams = 2;
  int min_tokens = 5;
  int max_tokens = 30;
  double repetition_penalty = 1;  // > 1: says less often what it has said; Keskar et al. 2019
  // Sampling only:
  int top_k = 0;       // from the k likeliest tokens; 0: all
  double top_p = 0.9;  // from the fewest tokens that together are this likely; 1: all
  double temperature = 1;
  std::uint64_t seed = 0;
};

// One caption a picture, in the order given. Throws for the first picture that cannot be read,
// naming it; kInput for options out of range. Requires: a model loaded with LoadOptions::captions.
std::vector<std::string> caption(const Model& model,
                                 const std::vector<std::filesystem::path>& pictures,
                                 const CaptionOptions& options = {});

}  // namespace tandem
