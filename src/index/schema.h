// The tables of items.sqlite, version 3:
//   meta(key, value)      model_name, fingerprint, width, revision, count (of items), note.NAME,
//   and
//                         while another model's vectors are made next_model_name, next_fingerprint,
//                         next_width, next_revision
//   items(id, uri, sha256, size_bytes, mtime_ns, width, height, caption, metadata, kind)
//   vectors(id -> items, vector, checksum, revision)   vector := width IEEE halves, little-endian
//   next_vectors          the same for the next model; empty most of the time
// meta's revision grows with every vector written, every removal and every change of items; a
// vector keeps the one it was written at. So what is derived from the vectors knows what it lacks,
// and what was remembered whether it still holds. Version 1 had no revisions, version 2 no kind, no
// count and no next vectors. PRAGMA application_id is "TNDM", user_version the schema's version.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "index/sqlite.h"
#include "index/store.h"

namespace tandem {

bool is_blank(Database& database);  // a database without anything in it: just made, or killed while
                                    // being made

void create_schema(Database& database, const StoreMeta& meta);

// Brings a collection of an older version up to date, in one transaction.
void migrate_schema(Database& database);

// Throws kUnsupported if migrate_schema() must be run first. Throws kCorrupt if this is not a
// collection (foreign tables, no meta, triggers or views), kUnsupported if a newer Tandem made it.
StoreMeta read_schema(Database& database);

// Throws kInput for a width that vectors cannot have.
void check_width(const std::string& name, int width);

// One value of meta; nothing: none.
std::optional<std::string> meta_text(Database& database, std::string_view key);
std::int64_t meta_integer(Database& database, std::string_view key);  // 0 when there is none
void set_meta(Database& database, std::string_view key, std::string_view text);
void set_meta(Database& database, std::string_view key, std::int64_t value);
void drop_meta(Database& database, std::string_view key);

// What changes with commits.
struct CollectionState {
  std::int64_t revision = 0;
  std::size_t count = 0;  // items
};

// Throws kInput where the vectors are not `opened`'s any more: another process has switched models.
CollectionState read_state(Database& database, const StoreMeta& opened);

// Forgets next vectors and states whose come now. Requires: a transaction.
void begin_next_schema(Database& database, const StoreMeta& next);
void drop_next_schema(Database& database);

// Renames next_vectors to vectors and its model to the collection's. Requires: a transaction.
void switch_schema(Database& database);

// Covers a stored vector and the row it belongs to: a flipped bit is noticed, never searched.
std::int64_t vector_checksum(std::int64_t id, std::span<const std::byte> vector);

}  // namespace tandem
