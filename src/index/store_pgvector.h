// Items in PostgreSQL with the extension pgvector (0.7 or later: 16-bit vectors).
//   pgvector://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE[?table=pictures&OPTION=…]
// Other options are libpq's (sslmode, host for a socket's folder …), and:
//   statement_timeout_ms  one statement may take so long (60000)
//   index_rows            from so many rows on, searches use an HNSW index (20000)
// docs/stores.md shows the tables.
#pragma once

#include <memory>

#include "index/store.h"
#include "index/store_location.h"

namespace tandem {

std::unique_ptr<Store> open_pgvector(StoreLocation location, OpenMode mode, const StoreMeta& asked);

}  // namespace tandem
