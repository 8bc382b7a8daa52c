#include "index/schema.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <map>

#include "core/error.h"

namespace tandem {
namespace {

constexpr std::int64_t kApplicationId = 0x544E444D;  // "TNDM"
constexpr std::int64_t kVersion = 2;
constexpr int kMaxWidth = 65'536;

// Numbers must equal the constants above.
constexpr const char* kCreate = R"sql(
PRAGMA application_id = 1414415437;
PRAGMA user_version = 2;
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE items(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uri TEXT NOT NULL UNIQUE,
  sha256 TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  caption TEXT NOT NULL,
  metadata TEXT NOT NULL);
CREATE INDEX items_by_content ON items(sha256);
CREATE TABLE vectors(
  id INTEGER PRIMARY KEY REFERENCES items(id) ON DELETE CASCADE,
  vector BLOB NOT NULL,
  checksum INTEGER NOT NULL,
  revision INTEGER NOT NULL);
CREATE UNIQUE INDEX vectors_by_revision ON vectors(revision);
)sql";

constexpr const char* kFromVersion1 = R"sql(
ALTER TABLE vectors ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
UPDATE vectors SET revision = id;
CREATE UNIQUE INDEX vectors_by_revision ON vectors(revision);
INSERT INTO meta SELECT 'revision', ifnull(max(revision), 0) FROM vectors;
PRAGMA user_version = 2;
)sql";

Error not_a_collection(const Database& database, std::string_view why) {
  return Error(Kind::kCorrupt,
               fmt::format("{}: is not a collection ({}). Expected one made by \"tandem index\".",
                           database.name(), why));
}

// A trigger or a view would run a stranger's statements.
bool runs_code(Database& database) {
  return database.integer(
             "SELECT count(*) FROM sqlite_schema WHERE type IN ('trigger', 'view')"
             " OR (type = 'table' AND sql LIKE 'CREATE VIRTUAL%')") != 0;
}

}  // namespace

bool is_blank(Database& database) {
  return database.integer("SELECT count(*) FROM sqlite_schema") == 0 &&
         database.integer("PRAGMA application_id") == 0;
}

void create_schema(Database& database, const CollectionMeta& meta) {
  if (meta.width < 1 || meta.width > kMaxWidth) {
    throw Error(Kind::kInput, fmt::format("{}: vectors of width {}. Expected 1 to {}.",
                                          database.name(), meta.width, kMaxWidth));
  }
  database.execute("PRAGMA journal_mode=WAL");
  Transaction transaction(database, Transaction::Kind::kWrite);
  database.execute(kCreate);
  Statement insert(database, "INSERT INTO meta VALUES(?, ?)");
  insert.bind(1, "model_name").bind(2, meta.model_name).run();
  insert.bind(1, "fingerprint").bind(2, meta.fingerprint).run();
  insert.bind(1, "width").bind(2, std::to_string(meta.width)).run();
  insert.bind(1, "revision").bind(2, "0").run();
  transaction.commit();
}

void migrate_schema(Database& database) {
  const auto is_old = [&] {
    return database.integer("PRAGMA application_id") == kApplicationId &&
           database.integer("PRAGMA user_version") == 1;
  };
  if (!is_old()) return;
  Transaction transaction(database, Transaction::Kind::kWrite);
  if (runs_code(database)) throw not_a_collection(database, "its tables are not a collection's");
  if (is_old()) database.execute(kFromVersion1);
  transaction.commit();
}

std::int64_t last_revision(Database& database) {
  return database.integer("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'revision'");
}

void set_last_revision(Database& database, std::int64_t revision) {
  Statement update(database, "UPDATE meta SET value = ? WHERE key = 'revision'");
  update.bind(1, std::to_string(revision)).run();
}

CollectionMeta read_schema(Database& database) {
  if (database.integer("PRAGMA application_id") != kApplicationId)
    throw not_a_collection(database, "another program's file");
  const std::int64_t version = database.integer("PRAGMA user_version");
  if (version > kVersion) {
    throw Error(Kind::kUnsupported,
                fmt::format("{}: version {} of the collection format; this Tandem reads up to {}. "
                            "Use a newer Tandem.",
                            database.name(), version, kVersion));
  }
  if (version == 1) {
    throw Error(Kind::kUnsupported,
                database.name() + ": an older Tandem made it. Run \"tandem index\" into it once.");
  }
  // Exactly our tables and index, no trigger or view that would run a stranger's code.
  const std::int64_t ours = database.integer(
      "SELECT count(*) FROM sqlite_schema WHERE (type = 'table' AND name IN ('meta', 'items', "
      "'vectors'))"
      " OR (type = 'index' AND name IN ('items_by_content', 'vectors_by_revision'))");
  if (version < 1 || ours != 5 || runs_code(database))
    throw not_a_collection(database, "its tables are not a collection's");
  std::map<std::string, std::string> values;
  Statement select(database, "SELECT key, value FROM meta");
  while (select.step()) values[select.text(0)] = select.text(1);
  CollectionMeta meta{values["model_name"], values["fingerprint"], 0};
  const std::string& width = values["width"];
  std::from_chars(width.data(), width.data() + width.size(), meta.width);
  if (meta.width < 1 || meta.width > kMaxWidth)
    throw not_a_collection(database, "it states no vector width");
  return meta;
}

std::int64_t vector_checksum(std::int64_t id, std::span<const std::byte> vector) {
  constexpr std::uint64_t kFactor = 0x9FB21C651E98DF25ULL;  // odd, with well spread bits
  std::uint64_t sum = (static_cast<std::uint64_t>(id) + vector.size()) * kFactor;
  const auto fold = [&](std::uint64_t word) { sum = std::rotl((sum ^ word) * kFactor, 29); };
  std::size_t i = 0;
  for (; i + 8 <= vector.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, vector.data() + i, 8);
    fold(word);
  }
  for (; i < vector.size(); ++i) fold(std::to_integer<std::uint64_t>(vector[i]));
  return static_cast<std::int64_t>(sum ^ (sum >> 32));
}

}  // namespace tandem
