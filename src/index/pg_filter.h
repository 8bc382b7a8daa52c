// An ItemFilter as a condition of PostgreSQL over the table of store_pgvector.h.
#pragma once

#include <vector>

#include "index/item_filter.h"
#include "index/postgres.h"

namespace tandem {

// The values follow those that `values` has already and are called by their place there: $1, $2 …
std::string to_postgres(const ItemFilter& filter, std::vector<PgValue>& values);

}  // namespace tandem
