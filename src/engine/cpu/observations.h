// What a float32 pass over a model tells about its matrix products: how large each channel of a
// norm's output grows, which matrices read it, and samples of what they read. For quantising.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace tandem {

struct NormObservation {
  std::vector<float> peaks;       // largest magnitude of each channel
  std::set<std::string> readers;  // matrices (first part's name) that read the output
};

struct LinearObservation {
  std::vector<std::string> matrices;  // in the order of the product's columns
  std::string norm;                   // the norm whose output it reads; empty: none
  bool seen = false;                  // read anything at all
  bool mixed = false;                 // reads different norms, or a norm and something else
  bool every_row = false;     // read rows of every token or patch in some pass, not one an item
  std::vector<float> inputs;  // (samples, width) rows, as many as were asked for
};

// Not thread-safe: one pass at a time.
struct Observations {
  int items = 0;                                     // pictures or texts of the pass that runs
  int samples = 0;                                   // rows to keep of each matrix's inputs
  std::map<std::string, NormObservation> norms;      // by prefix
  std::map<std::string, LinearObservation> linears;  // by the first part's name
};

}  // namespace tandem
