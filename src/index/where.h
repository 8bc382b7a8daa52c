// Conditions that users write, e.g. "width > 500 AND caption LIKE '%cat%'", run safely.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "index/sqlite.h"

namespace tandem {

// The ids of the items that fulfil `condition`, ascending, each once. An authorizer lets it read
// the items table (and json_each) and call harmless functions; everything else, and more than
// `timeout_ms`, is refused with kInput. Requires: a read-only database.
std::vector<std::int64_t> matching_ids(Database& database, const std::string& condition,
                                       int timeout_ms);

}  // namespace tandem
