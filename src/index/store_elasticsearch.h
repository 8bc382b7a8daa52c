// Items in Elasticsearch (8.11 or later) or OpenSearch (2.9 or later).
//   elasticsearch[+https]://[KEY@ or USER:PASSWORD@]HOST[:9200]/INDEX     opensearch[+https]://…
// What differs between the two is a table in store_elasticsearch.cc. Meta and notes lie in the
// mapping's _meta.
#pragma once

#include <memory>

#include "index/store.h"
#include "index/store_location.h"

namespace tandem {

std::unique_ptr<Store> open_elasticsearch(StoreLocation location, OpenMode mode,
                                          const StoreMeta& asked);
std::unique_ptr<Store> open_opensearch(StoreLocation location, OpenMode mode,
                                       const StoreMeta& asked);

}  // namespace tandem
