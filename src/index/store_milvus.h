// Items in Milvus (2.4 or later, its REST API version 2; Milvus Lite does not speak it).
//   milvus[+https]://[TOKEN@ or USER:PASSWORD@]HOST[:19530]/COLLECTION[?database=default]
// Notes lie in a second collection, COLLECTION_tandem. Texts and notes of more than 65,535 bytes
// are refused, as Milvus has no longer ones.
#pragma once

#include <memory>

#include "index/store.h"
#include "index/store_location.h"

namespace tandem {

std::unique_ptr<Store> open_milvus(StoreLocation location, OpenMode mode, const StoreMeta& asked);

}  // namespace tandem
