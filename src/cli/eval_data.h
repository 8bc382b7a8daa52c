// Shards as evaluation sees them: pictures, each of a concept, with vectors and colour histograms.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tandem/model.h"

#include "cli/console.h"
#include "cli/skips.h"
#include "core/files.h"
#include "data/webdataset.h"
#include "tasks/evaluation.h"

namespace tandem::cli {

// A set's samples, lying in mapped files.
struct EvalShards {
  struct Sample {
    const MappedFile* file = nullptr;  // among `files`
    ShardIndex::Sample where;
  };
  std::string name;
  std::vector<std::unique_ptr<MappedFile>> files;
  std::vector<Sample> samples;
};

// A pattern with a range {a..b} is one set of many files, named by the pattern; any other file is a
// set, named by its stem. Throws kNotFound.
std::vector<EvalShards> open_sets(const std::string& pattern);

struct EvalData {
  EvalSet set;
  std::vector<std::int64_t> groups;  // of each concept, as the shards number them
  Matrix pictures;                   // (B,E)
  Matrix histograms;                 // (B,64)
};

// Reads, embeds and groups. Concepts are the records' groups; their text is the phrase, or else the
// first caption.
EvalData embed_set(const EvalShards& shards, const Model& model, Skips& skips, Console& console);

// Mean colour histogram by group.
using ConceptColours = std::map<std::int64_t, std::vector<float>>;
ConceptColours learn_colours(const std::vector<std::string>& patterns, Console& console);
// (N,64) rows for the set's concepts, zero where unknown; no rows when none is known.
Matrix colours_of(const ConceptColours& known, const EvalData& data);

}  // namespace tandem::cli
