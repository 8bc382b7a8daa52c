// Searching a store as people do: cut where relevance ends, sort, show near-duplicates once, count
// facets. One code path for command line, server, page and assistants.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "index/store.h"
#include "tasks/query.h"
#include "tasks/relevance.h"

namespace tandem {

enum class SortBy { kRelevance, kNewest, kOldest };

struct FindOptions {
  std::size_t offset = 0;
  std::size_t limit = 10;  // what lies beyond kMostRows is not shown
  // By date: what is above the cut-off is sorted; what is shown from below it follows, best first.
  SortBy sort = SortBy::kRelevance;
  std::optional<ItemFilter> filter;
  std::string where;  // SearchOptions::where
  // Rows that score less are left out: nothing: none are, with `relevant_only` those below the
  // calibrated cut-off.
  std::optional<float> least_score;
  bool relevant_only = false;
  // Rows whose vectors are at least this near to a better row's are gathered under it; 0: off.
  float collapse_above = 0;
  // Fields as in item_filter.h whose values are counted: mtime by day, arrays by element.
  std::vector<std::string> facets;
  bool with_vectors = false;
};

// Rows that one question looks at, at most: reliability.md's limit on top_k.
inline constexpr std::size_t kMostRows = 1'000;

struct Found {
  Item item;
  float score = 0;
  bool relevant = true;
  std::vector<std::int64_t> duplicates;  // ids gathered under this row, best first
  std::vector<float> vector;             // with_vectors
};

struct FacetValue {
  std::string value;
  std::size_t count = 0;
};
struct Facet {
  std::string field;
  std::vector<FacetValue> values;  // most frequent first, at most 20
};

struct Answer {
  std::vector<Found> rows;    // [offset, offset + limit)
  std::size_t total = 0;      // rows there are to page through, at most kMostRows
  std::size_t relevant = 0;   // rows above the cut-off, duplicates too; exact up to kMostRows
  std::optional<float> best;  // score of the best row, shown or not; nothing: no row matches
  std::optional<Relevance> relevance;  // where the store is calibrated; cut_off as it was applied
  std::vector<Facet> facets;           // over the rows that can be paged through
};

// vector: (E) unit, of a query made of `asked` (query.h). calibration: may be null: everything is
// relevant. Looks at 200 rows, or as many as are asked for, and at kMostRows only where more are
// relevant or what is counted needs them. Throws kInput for a facet that is no field.
Answer find(const Store& store, std::span<const float> vector, Asked asked,
            const Calibration* calibration, const FindOptions& options);
// The same for a query with unwanted terms.
Answer find(const Store& store, const QueryVector& query, Asked asked,
            const Calibration* calibration, const FindOptions& options);
// The same for kPictures or kWords.
Answer find(const Store& store, std::span<const float> vector, bool pictorial,
            const Calibration* calibration, const FindOptions& options);

// Groups of two or more items, each at least `above` (cosine) near to the group's first, which is
// the one of the least id; largest groups first; each item is in one group at most. Up to 50,000
// items all pairs are compared (10,000 of 512 values: 1.4 s of one core; it grows with the square)
// and 2 bytes a value are held in memory; beyond, each item that is in no group yet costs one
// search, and neighbours that the graph misses are missed.
std::vector<std::vector<std::int64_t>> near_duplicates(const Store& store, float above);

}  // namespace tandem
