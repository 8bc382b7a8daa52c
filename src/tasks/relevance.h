// When is a picture an answer at all? Scores do not compare between queries, and the best of a
// million rows that have nothing to do with a query still scores something. So each query's scores
// are measured against the collection's own: s' = (score - mean) / deviation over a sample of its
// rows, and what s' the best row reaches for captions that describe nothing in particular
// (assets/prompts/null_captions.txt), or for pictures against unrelated pictures, is what chance
// reaches in this collection. Above that a row is relevant.
#pragma once

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

struct Calibration {
  std::string fingerprint;         // of the space it was measured in
  std::size_t rows = 0;            // of the store then
  Matrix sample;                   // (S,E): rows of the store that queries are measured against
  std::vector<float> text_peaks;   // ascending: s' of the best row, one a null caption
  std::vector<float> image_peaks;  // ascending: the same for stored pictures, themselves and their
                                   // near-duplicates left out
};

// The note that keeps it (text_peaks and image_peaks; the sample is read again).
inline constexpr const char* kCalibrationNote = "calibration";

// Measures and stores it. Costs one search a null caption and S vectors.
Calibration calibrate(Store& store, const EmbedTexts& embed,
                      const std::vector<std::string>& null_captions);
// What was stored; nothing where none was, where it is of another space, or where the store has
// since grown or shrunk by a third.
std::optional<Calibration> stored_calibration(const Store& store);

struct Relevance {
  float mean = 0;  // of the query's scores over the sample
  float deviation = 1;
  float cut_off = 0;  // a score: rows below are not relevant
  float of(float score) const { return (score - mean) / deviation; }  // s'
};
// query: (E) unit.
Relevance relevance(const Calibration& calibration, std::span<const float> query, bool pictorial);

}  // namespace tandem
