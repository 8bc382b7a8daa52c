// Where a location leads: one row a kind of database.
#include <fmt/format.h>

#include "core/error.h"
#include "index/collection.h"
#include "index/store.h"
#include "index/store_chroma.h"
#include "index/store_elasticsearch.h"
#include "index/store_location.h"
#include "index/store_milvus.h"
#include "index/store_pgvector.h"
#include "index/store_qdrant.h"

namespace tandem {
namespace {

struct Database {
  std::string_view scheme;
  std::unique_ptr<Store> (*open)(StoreLocation location, OpenMode mode, const StoreMeta& asked);
};

constexpr Database kDatabases[] = {
    {"pgvector", open_pgvector},
    {"qdrant", open_qdrant},
    {"milvus", open_milvus},
    {"chroma", open_chroma},
    {"elasticsearch", open_elasticsearch},
    {"opensearch", open_opensearch},
};

const Database* database_of(const std::string& location) {
  const auto scheme = location.substr(0, location.find("://"));
  if (scheme.size() == location.size()) return nullptr;
  for (const auto& database : kDatabases) {
    if (scheme == database.scheme || scheme == std::string(database.scheme) + "+https")
      return &database;
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<Store> open_store(const std::string& location, OpenMode mode,
                                  const StoreMeta& asked) {
  if (const auto* database = database_of(location))
    return database->open(parse_store_location(location), mode, asked);
  if (is_database(location)) {
    std::string known;
    for (const auto& database : kDatabases) known += fmt::format("{}://, ", database.scheme);
    throw Error(
        Kind::kUnsupported,
        fmt::format("{}://…: no database of that kind. Expected {}or a folder, NAME.tandem.",
                    location.substr(0, location.find("://")), known));
  }
  return std::make_unique<Collection>(
      Collection::open(location, mode, asked.model_name, asked.fingerprint, asked.width));
}

bool is_database(const std::string& location) { return location.find("://") != std::string::npos; }

std::string shown_location(const std::string& location) {
  return is_database(location) ? parse_store_location(location).shown() : location;
}

}  // namespace tandem
