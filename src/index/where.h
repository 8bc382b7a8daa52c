// Conditions that users write, e.g. "width > 500 AND caption LIKE '%cat%'", run safely, and
// filters (item_filter.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "index/item_filter.h"
#include "index/sqlite.h"

namespace tandem {

struct Matching {
  std::vector<std::int64_t> ids;  // ascending, each once
  bool lasting = true;  // the same answer as long as no item changes: no date('now') and its like
};

// The ids of the items that fulfil `condition`. An authorizer lets it read the items table (and
// json_each) and call harmless functions; everything else, and more than `timeout_ms`, is refused
// with kInput. Requires: a read-only database.
Matching matching_where(Database& database, const std::string& condition, int timeout_ms);
std::vector<std::int64_t> matching_ids(Database& database, const std::string& condition,
                                       int timeout_ms);

// The ids of the items that fulfil `filter`, ascending. Throws kInput after `timeout_ms`.
std::vector<std::int64_t> matching_ids(Database& database, const ItemFilter& filter,
                                       int timeout_ms);

// The same, newest first, equal ones by id: `limit` of them after the first `offset`.
std::vector<std::int64_t> newest_ids(Database& database, const std::optional<ItemFilter>& filter,
                                     std::size_t offset, std::size_t limit);

}  // namespace tandem
