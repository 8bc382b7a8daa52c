// The tables of items.sqlite, version 2:
//   meta(key, value)      model_name, fingerprint, width, revision
//   items(id, uri, sha256, size_bytes, mtime_ns, width, height, caption, metadata)
//   vectors(id -> items, vector, checksum, revision)   vector := width IEEE halves, little-endian
// meta's revision grows with every vector written and every removal; a vector keeps the one it was
// written at. So what is derived from the vectors knows what it lacks. Version 1 had no revisions.
// PRAGMA application_id is "TNDM", user_version the schema's version.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "index/sqlite.h"

namespace tandem {

struct CollectionMeta {
  std::string model_name;
  std::string fingerprint;
  int width = 0;
};

bool is_blank(Database& database);  // a database without anything in it: just made, or killed while
                                    // being made

void create_schema(Database& database, const CollectionMeta& meta);

// Brings a collection of an older version up to date, in one transaction.
void migrate_schema(Database& database);

// Throws kUnsupported if migrate_schema() must be run first. Throws kCorrupt if this is not a
// collection (foreign tables, no meta, triggers or views), kUnsupported if a newer Tandem made it.
CollectionMeta read_schema(Database& database);

// meta's revision.
std::int64_t last_revision(Database& database);
void set_last_revision(Database& database, std::int64_t revision);

// Covers a stored vector and the row it belongs to: a flipped bit is noticed, never searched.
std::int64_t vector_checksum(std::int64_t id, std::span<const std::byte> vector);

}  // namespace tandem
