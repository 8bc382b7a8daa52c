// Retrieval between pictures and texts where several of either may be right: they carry equal
// groups.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/matrix.h"

namespace tandem {

// For each query the place, from 0, of the best-scored candidate of the query's group. Queries
// whose group no candidate has are left out: they cannot be answered. Equal scores count against
// the right candidate. queries: (Q,E), candidates: (C,E), unit rows; one group a row.
std::vector<std::size_t> retrieval_ranks(const Matrix& queries,
                                         std::span<const std::int64_t> query_groups,
                                         const Matrix& candidates,
                                         std::span<const std::int64_t> candidate_groups);

// Recall@k of a ranking drawn at random: for each query with r right of C candidates, 1 -
// C(C-r,k)/C(C,k), averaged.
double chance_recall(std::span<const std::int64_t> query_groups,
                     std::span<const std::int64_t> candidate_groups, std::size_t k);

}  // namespace tandem
