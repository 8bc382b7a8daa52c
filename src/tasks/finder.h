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
  std::size_t limit = 10;            // offset + limit: at most kMostRows
  SortBy sort = SortBy::kRelevance;  // by date: only what is relevant is sorted
  std::optional<ItemFilter> filter;
  std::string where;  // SearchOptions::where
  // Rows that score less are left out: nothing: none are, with `relevant_only` the calibrated one.
  std::optional<float> least_score;
  bool relevant_only = false;
  // Rows whose vectors are at least this near to a better row's are gathered under it; 0: off.
  float collapse_above = 0;
  std::vector<std::string> facets;  // fields as in item_filter.h whose values are counted
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
  std::vector<Found> rows;             // [offset, offset + limit)
  std::size_t total = 0;               // rows there are to page through
  std::size_t relevant = 0;            // of all rows looked at; exact up to kMostRows
  std::optional<Relevance> relevance;  // where the store is calibrated
  std::vector<Facet> facets;           // over the rows that can be paged through
};

// vector: (E) unit, of `pictorial` parts or not (query.h). calibration: may be null.
Answer find(const Store& store, std::span<const float> vector, bool pictorial,
            const Calibration* calibration, const FindOptions& options);

// Groups of two or more items that are nearer to each other than `above` (cosine), largest first;
// each item is in one group at most.
std::vector<std::vector<std::int64_t>> near_duplicates(const Store& store, float above);

}  // namespace tandem
