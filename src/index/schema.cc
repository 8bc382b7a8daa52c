#include "index/schema.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <fmt/format.h>

#include "core/error.h"

namespace tandem {
namespace {

constexpr std::int64_t kApplicationId = 0x544E444D;  // "TNDM"
constexpr std::int64_t kVersion = 3;
constexpr int kMaxWidth = 65'536;

// 16 KiB pages: of a row with 512 halves fifteen fit into one and waste 4 %; of SQLite's usual
// pages three fit and waste a quarter.
constexpr const char* kPageSize = "PRAGMA page_size = 16384";

// Eight digits of a hash find its row as well as all 64 do, in an eighth of the room.
constexpr const char* kItemIndexes = R"sql(
CREATE INDEX items_by_content ON items(substr(sha256, 1, 8));
CREATE INDEX items_by_time ON items(mtime_ns DESC);
)sql";

constexpr const char* kNextVectors = R"sql(
CREATE TABLE next_vectors(
  id INTEGER PRIMARY KEY REFERENCES items(id) ON DELETE CASCADE,
  vector BLOB NOT NULL,
  checksum INTEGER NOT NULL,
  revision INTEGER NOT NULL);
)sql";

// Numbers must equal the constants above.
constexpr const char* kCreate = R"sql(
PRAGMA application_id = 1414415437;
PRAGMA user_version = 3;
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
  metadata TEXT NOT NULL,
  kind TEXT NOT NULL DEFAULT 'picture');
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

constexpr const char* kFromVersion2 = R"sql(
ALTER TABLE items ADD COLUMN kind TEXT NOT NULL DEFAULT 'picture';
DROP INDEX items_by_content;
INSERT INTO meta SELECT 'count', count(*) FROM items;
PRAGMA user_version = 3;
)sql";

// The next model's vectors take revisions that the old one's do not reach meanwhile, so that no two
// vectors ever have the same and nothing derived from the old ones is taken for theirs.
constexpr std::int64_t kNextRevisions = std::int64_t{1} << 32;

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

void check_width(const std::string& name, int width) {
  if (width >= 1 && width <= kMaxWidth) return;
  throw Error(Kind::kInput,
              fmt::format("{}: vectors of width {}. Expected 1 to {}.", name, width, kMaxWidth));
}

void create_schema(Database& database, const StoreMeta& meta) {
  check_width(database.name(), meta.width);
  database.execute(kPageSize);
  database.execute("PRAGMA journal_mode=WAL");
  Transaction transaction(database, Transaction::Kind::kWrite);
  database.execute(kCreate);
  database.execute(kNextVectors);
  database.execute(kItemIndexes);
  set_meta(database, "model_name", meta.model_name);
  set_meta(database, "fingerprint", meta.fingerprint);
  set_meta(database, "width", meta.width);
  set_meta(database, "revision", 0);
  set_meta(database, "count", 0);
  transaction.commit();
}

void migrate_schema(Database& database) {
  const auto version = [&] { return database.integer("PRAGMA user_version"); };
  const auto is_old = [&] {
    return database.integer("PRAGMA application_id") == kApplicationId && version() >= 1 &&
           version() < kVersion;
  };
  if (!is_old()) return;
  Transaction transaction(database, Transaction::Kind::kWrite);
  if (runs_code(database)) throw not_a_collection(database, "its tables are not a collection's");
  if (is_old() && version() == 1) database.execute(kFromVersion1);
  if (is_old() && version() == 2) {
    database.execute(kFromVersion2);
    database.execute(kNextVectors);
    database.execute(kItemIndexes);
  }
  transaction.commit();
}

StoreMeta read_schema(Database& database) {
  if (database.integer("PRAGMA application_id") != kApplicationId)
    throw not_a_collection(database, "another program's file");
  const std::int64_t version = database.integer("PRAGMA user_version");
  if (version > kVersion) {
    throw Error(Kind::kUnsupported,
                fmt::format("{}: version {} of the collection format; this Tandem reads up to {}. "
                            "Use a newer Tandem.",
                            database.name(), version, kVersion));
  }
  if (version >= 1 && version < kVersion) {
    throw Error(Kind::kUnsupported,
                database.name() + ": an older Tandem made it. Run \"tandem index\" into it once.");
  }
  // Exactly our tables and indexes, no trigger or view that would run a stranger's code.
  const std::int64_t ours = database.integer(
      "SELECT count(*) FROM sqlite_schema WHERE (type = 'table' AND name IN ('meta', 'items', "
      "'vectors', 'next_vectors')) OR (type = 'index' AND name IN ('items_by_content', "
      "'items_by_time', 'vectors_by_revision'))");
  if (version < 1 || ours != 7 || runs_code(database))
    throw not_a_collection(database, "its tables are not a collection's");
  const StoreMeta meta{meta_text(database, "model_name").value_or(""),
                       meta_text(database, "fingerprint").value_or(""),
                       static_cast<int>(meta_integer(database, "width"))};
  if (meta.width < 1 || meta.width > kMaxWidth)
    throw not_a_collection(database, "it states no vector width");
  return meta;
}

std::optional<std::string> meta_text(Database& database, std::string_view key) {
  Statement select(database, "SELECT value FROM meta WHERE key = ?");
  if (!select.bind(1, key).step()) return std::nullopt;
  return select.text(0);
}

std::int64_t meta_integer(Database& database, std::string_view key) {
  const std::string text = meta_text(database, key).value_or("");
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void set_meta(Database& database, std::string_view key, std::string_view text) {
  Statement(database, "INSERT OR REPLACE INTO meta VALUES(?, ?)").bind(1, key).bind(2, text).run();
}

void set_meta(Database& database, std::string_view key, std::int64_t value) {
  set_meta(database, key, std::to_string(value));
}

void drop_meta(Database& database, std::string_view key) {
  Statement(database, "DELETE FROM meta WHERE key = ?").bind(1, key).run();
}

CollectionState read_state(Database& database, const StoreMeta& opened) {
  CollectionState state;
  StoreMeta now = opened;
  Statement select(database,
                   "SELECT key, value, CAST(value AS INTEGER) FROM meta WHERE key IN "
                   "('model_name', 'fingerprint', 'revision', 'count')");
  while (select.step()) {
    const std::string key = select.text(0);
    if (key == "model_name") now.model_name = select.text(1);
    if (key == "fingerprint") now.fingerprint = select.text(1);
    if (key == "revision") state.revision = select.integer(2);
    if (key == "count")
      state.count = static_cast<std::size_t>(std::max<std::int64_t>(0, select.integer(2)));
  }
  if (now.fingerprint != opened.fingerprint) {
    throw Error(Kind::kInput,
                fmt::format("{}: is now of {} {}; it was opened for {} {}. Open it again.",
                            database.name(), now.model_name, now.fingerprint.substr(0, 12),
                            opened.model_name, opened.fingerprint.substr(0, 12)));
  }
  return state;
}

void begin_next_schema(Database& database, const StoreMeta& next) {
  database.execute("DELETE FROM next_vectors");
  set_meta(database, "next_model_name", next.model_name);
  set_meta(database, "next_fingerprint", next.fingerprint);
  set_meta(database, "next_width", next.width);
  set_meta(database, "next_revision", meta_integer(database, "revision") + kNextRevisions);
}

void drop_next_schema(Database& database) {
  database.execute(
      "DELETE FROM next_vectors;"
      "DELETE FROM meta WHERE key IN "
      "('next_model_name', 'next_fingerprint', 'next_width', 'next_revision')");
}

void switch_schema(Database& database) {
  database.execute("DROP TABLE vectors; ALTER TABLE next_vectors RENAME TO vectors;");
  database.execute("CREATE UNIQUE INDEX vectors_by_revision ON vectors(revision)");
  database.execute(kNextVectors);
  for (const char* key : {"model_name", "fingerprint", "width", "revision"})
    set_meta(database, key, meta_text(database, std::string("next_") + key).value_or(""));
  drop_next_schema(database);
  database.execute("DELETE FROM meta WHERE key LIKE 'note.%'");
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
