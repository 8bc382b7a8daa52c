// Where a location leads: the table of databases, and collections.
#include "core/error.h"
#include "index/collection.h"

namespace tandem {

bool is_database(const std::string& location) { return location.find("://") != std::string::npos; }

std::unique_ptr<Store> open_store(const std::string& location, OpenMode mode,
                                  const StoreMeta& asked) {
  if (is_database(location)) {
    throw Error(Kind::kUnsupported,
                location.substr(0, location.find("://")) +
                    "://…: no database of that kind. Expected a collection, NAME.tandem.");
  }
  return std::make_unique<Collection>(
      Collection::open(location, mode, asked.model_name, asked.fingerprint, asked.width));
}

}  // namespace tandem
