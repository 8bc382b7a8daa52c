// Items in Qdrant (1.10 or later, over REST).
//   qdrant[+https]://[KEY@]HOST[:6333]/COLLECTION
// Notes lie in a second collection, COLLECTION_tandem.
#pragma once

#include <memory>

#include "index/store.h"
#include "index/store_location.h"

namespace tandem {

std::unique_ptr<Store> open_qdrant(StoreLocation location, OpenMode mode, const StoreMeta& asked);

}  // namespace tandem
