// Items in a Chroma server (its API version 2; 0.6 or later).
//   chroma[+https]://[KEY@]HOST[:8000]/COLLECTION[?tenant=default_tenant&database=default_database]
// USER:PASSWORD in KEY's place is sent as HTTP's basic authorization.
#pragma once

#include <memory>

#include "index/store.h"
#include "index/store_location.h"

namespace tandem {

std::unique_ptr<Store> open_chroma(StoreLocation location, OpenMode mode, const StoreMeta& asked);

}  // namespace tandem
