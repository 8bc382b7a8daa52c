// When is a row an answer at all? Scores do not compare between queries or collections, and the
// best of a million rows that have nothing to do with a query still scores something. What chance
// reaches is therefore measured in the collection itself: the best score (peak) of captions that
// fit no picture (assets/prompts/null_captions.txt), and of stored pictures among the others. A
// query whose best row stays below has no answer here; where it reaches more, the rows around it
// count too, down to what chance reaches half of the time.
//
// Some models give some queries higher scores with everything. So a peak is taken less a share of
// the query's mean score over a sample of the rows; the share (0..1) is what the null queries'
// peaks follow their means by, measured too. (Dividing by the deviation made it worse with `mini`,
// docs/search.md: texts that mean little have small deviations.)
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tandem/matrix.h"

#include "index/store.h"
#include "tasks/query.h"
#include "tasks/zero_shot.h"

namespace tandem {

// What queries that fit nothing reach among rows of one kind.
struct ChancePeaks {
  float share = 0;            // of a query's mean
  std::vector<float> values;  // ascending: best score less share * mean, one a null query
};

struct Calibration {
  std::string fingerprint;      // of the space it was measured in
  std::size_t rows = 0;         // of the store then
  Matrix sample;                // (S,E): rows of the store that queries are measured against
  std::vector<ItemKind> kinds;  // (S)
  // What chance reaches, by what is wanted (Asked), among rows that are pictures, texts. Empty
  // where there are too few rows. Words: the null captions; pictures: stored ones, themselves and
  // copies left out; both: a stored picture and a null caption. Pictures have true relatives: only
  // the lowest of their peaks say what chance is.
  std::array<std::array<ChancePeaks, 2>, 3> chance;

  const ChancePeaks& of(Asked asked, ItemKind kind) const {
    return chance[static_cast<std::size_t>(asked)][static_cast<std::size_t>(kind)];
  }
  bool has(ItemKind kind) const;  // rows of this kind are in the sample
};

// The note that keeps it (all but the sample, which is read again).
inline constexpr const char* kCalibrationNote = "calibration";

// Measures it. Costs an embedding of and a search for each null caption (some 350), two
// searches for each of 128 rows, and 512 vectors; twice the searches where pictures and texts are
// mixed.
Calibration measure_calibration(const Store& store, const EmbedTexts& embed,
                                const std::vector<std::string>& null_captions);
// Measures and stores it. Throws where the store is open for reading only.
Calibration calibrate(Store& store, const EmbedTexts& embed,
                      const std::vector<std::string>& null_captions);
// What was stored; nothing where none was, where it is of another space, or where the store has
// since grown or shrunk by a third.
std::optional<Calibration> stored_calibration(const Store& store);

// What a row must score for one query.
struct CutOff {
  float best = -1;  // what the best row must reach for the query to have answers; -1: anything
  float rows = -1;  // from where rows are relevant then
};

struct Relevance {
  float mean = 0;       // of the query's scores over the sample
  float deviation = 1;  // of the same, robust
  // The cut-off that applies: rows below are not relevant. find() sets it to CutOff::rows where the
  // query has answers; until then it is CutOff::best. Of the kind of which there are rows; pictures
  // where there are both.
  float cut_off = -1;
  std::array<CutOff, 2> by_kind;  // pictures, texts

  const CutOff& cut(ItemKind kind) const { return by_kind[static_cast<std::size_t>(kind)]; }
};
// Where something is unwanted, the cut-off is that of a row which is as near to what is wanted as
// the cut-off of the wanted terms alone asks, and as near to what is unwanted as such rows are in
// this collection.
Relevance relevance(const Calibration& calibration, const QueryVector& query, Asked asked);
// The same where nothing is unwanted. query: (E) unit.
Relevance relevance(const Calibration& calibration, std::span<const float> query, Asked asked);

}  // namespace tandem
