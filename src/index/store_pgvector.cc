#include "index/store_pgvector.h"

#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unordered_map>

#include "core/error.h"
#include "core/sha256.h"
#include "core/tensor.h"
#include "index/pg_filter.h"
#include "index/store_text.h"

namespace tandem {
namespace {

constexpr int kWidestIndex = 4'000;  // dimensions of a halfvec that HNSW takes; pgvector README
constexpr int kLargestEf = 1'000;    // of hnsw.ef_search
constexpr std::size_t kPageRows = 5'000;
constexpr const char* kColumns =
    "id, kind, uri, sha256, size_bytes, mtime_ns, width, height, caption, metadata";

// The binary format of COPY: big-endian, each field after its length. Source: PostgreSQL, "COPY".
class CopyRows {
 public:
  CopyRows() { out_.append("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19); }
  void row(int fields) { put(fields, 2); }
  void text(std::string_view value) {
    put(static_cast<std::int64_t>(value.size()), 4);
    out_ += value;
  }
  void json(std::string_view value) {  // jsonb: version 1, then its text
    put(static_cast<std::int64_t>(value.size() + 1), 4);
    put(1, 1);
    out_ += value;
  }
  void integer(std::int64_t value, int bytes) {
    put(bytes, 4);
    put(value, bytes);
  }
  std::string finish() {
    put(-1, 2);
    return std::move(out_);
  }

 private:
  void put(std::int64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
      out_ += static_cast<char>((value >> shift) & 0xff);
  }
  std::string out_;
};

// halfvec's binary format: its width, 0, then IEEE halves, big-endian.
std::string half_vector(std::span<const float> row) {
  std::string out;
  const auto put = [&out](std::uint16_t value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value & 0xff);
  };
  put(static_cast<std::uint16_t>(row.size()));
  put(0);
  for (const float value : row) put(float_to_half(value));
  return out;
}

std::string id_list(std::span<const std::int64_t> ids) {
  return fmt::format("{{{}}}", fmt::join(ids, ","));
}

Item item_of(const PgResult& rows, int row) {
  Item item;
  item.id = rows.integer(row, 0);
  item.kind = rows.bytes(row, 1) == "text" ? ItemKind::kText : ItemKind::kPicture;
  item.uri = from_wire(rows.bytes(row, 2));
  item.sha256 = from_wire(rows.bytes(row, 3));
  item.size_bytes = static_cast<std::uint64_t>(rows.integer(row, 4));
  item.mtime_ns = rows.integer(row, 5);
  item.width = static_cast<int>(rows.integer(row, 6));
  item.height = static_cast<int>(rows.integer(row, 7));
  item.caption = from_wire(rows.bytes(row, 8));
  item.metadata_json = json::dump(from_wire_tree(json::parse(rows.bytes(row, 9), "metadata")));
  return item;
}

// "pictures" or "archive.pictures", in quotes. Its companions are called TABLE_tandem and so on.
std::string checked_table(const std::string& name) {
  std::string out = "\"";
  bool first = true;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || c == '_';
    if (c == '.' && !first) {
      out += "\".\"";
      first = true;
      continue;
    }
    if (!letter && (first || c < '0' || c > '9'))
      throw Error(Kind::kInput, "pgvector://…: table=" + name +
                                    ": expected lower-case letters, digits and _, perhaps after "
                                    "SCHEMA and a dot.");
    out += c;
    first = false;
  }
  if (first || name.size() > 50)
    throw Error(Kind::kInput, "pgvector://…: table: expected a name of 1 to 50 letters.");
  return out + "\"";
}

class PgvectorStore final : public Store {
 public:
  PgvectorStore(StoreLocation location, OpenMode mode, const StoreMeta& asked);

  StoreMeta meta() const override { return meta_; }
  std::string describe() const override { return description_; }
  std::size_t size() const override;
  void each_known(const std::function<void(const KnownItem&)>& row) const override;
  void upsert(std::span<const Item> items, const Matrix& vectors) override;
  std::size_t remove(std::span<const std::int64_t> ids) override;
  std::vector<Hit> search(std::span<const float> query,
                          const SearchOptions& options) const override;
  std::vector<Item> items(std::span<const std::int64_t> ids) const override;
  Matrix vectors(std::span<const std::int64_t> ids) const override;
  std::vector<std::int64_t> list(const std::optional<ItemFilter>& filter, std::size_t offset,
                                 std::size_t limit) const override;
  std::vector<std::int64_t> sample(std::size_t count) const override;
  std::optional<std::string> note(const std::string& name) const override;
  void set_note(const std::string& name, const std::string& text) override;

 private:
  void check_version(PgConnection& connection, OpenMode mode);
  void make_tables(PgConnection& connection, const StoreMeta& asked) const;
  void read_meta(PgConnection& connection);
  bool has_index(PgConnection& connection) const;
  void index_when_large();
  std::string quoted(const std::string& suffix) const;  // "pictures_SUFFIX"

  std::string shown_;
  std::string name_;   // of the table, as given
  std::string table_;  // in quotes
  std::size_t index_rows_ = 0;
  bool iterative_ = false;  // pgvector >= 0.8: an index scan goes on until enough rows pass
  StoreMeta meta_;
  std::string description_;
  std::atomic<bool> indexed_ = false;
  std::unique_ptr<PgPool> pool_;
};

std::size_t whole_number(const std::string& text, const std::string& option) {
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos)
    throw Error(Kind::kInput, "pgvector://…: " + option + ": expected a whole number.");
  return std::stoul(text);
}

// What libpq is told, besides its own options, which `at` may hold.
std::map<std::string, std::string> parameters_of(const StoreLocation& at) {
  auto parameters = at.options;
  if (!at.host.empty()) parameters["host"] = at.host;
  if (at.port != 0) parameters["port"] = std::to_string(at.port);
  if (!at.user.empty()) parameters["user"] = at.user;
  if (!at.password.empty()) parameters["password"] = at.password;
  if (!at.path.empty()) parameters["dbname"] = at.only_path("database");
  if (at.tls) parameters.emplace("sslmode", "require");
  parameters.emplace("connect_timeout", "10");
  parameters.emplace("tcp_user_timeout", "30000");
  parameters.emplace("application_name", "tandem");
  parameters["client_encoding"] = "UTF8";
  return parameters;
}

PgvectorStore::PgvectorStore(StoreLocation at, OpenMode mode, const StoreMeta& asked)
    : shown_(at.shown()), name_(at.take("table", "pictures")), table_(checked_table(name_)) {
  const auto timeout =
      whole_number(at.take("statement_timeout_ms", "60000"), "statement_timeout_ms");
  index_rows_ = whole_number(at.take("index_rows", "20000"), "index_rows");
  pool_ = std::make_unique<PgPool>(
      parameters_of(at), shown_,
      fmt::format("SET client_min_messages = warning; SET statement_timeout = {}", timeout));
  pool_->with_connection([&](PgConnection& connection) {
    check_version(connection, mode);
    if (mode == OpenMode::kWrite) make_tables(connection, asked);
    read_meta(connection);
    indexed_ = has_index(connection);
    return 0;
  });
  check_same_model(meta_, asked, shown_ + " table " + name_);
}

std::string PgvectorStore::quoted(const std::string& suffix) const {
  return table_.substr(0, table_.size() - 1) + "_" + suffix + "\"";
}

void PgvectorStore::check_version(PgConnection& connection, OpenMode mode) {
  const auto installed = [&connection] {
    const auto rows = connection.query(
        "SELECT extversion, current_setting('server_version') FROM pg_extension "
        "WHERE extname = 'vector'");
    return rows.rows() == 0 ? std::pair<std::string, std::string>()
                            : std::pair(rows.text(0, 0), rows.text(0, 1));
  };
  auto [version, server] = installed();
  if (version.empty()) {
    if (mode == OpenMode::kRead)
      throw Error(Kind::kNotFound,
                  shown_ + ": this database has no pictures: the extension vector is not made.");
    try {
      connection.execute("CREATE EXTENSION IF NOT EXISTS vector");
    } catch (const Error& error) {
      if (connection.broken()) throw;
      throw Error(Kind::kUnsupported,
                  fmt::format("{} Install pgvector 0.7 or later on the server, and let an owner of "
                              "the database run CREATE EXTENSION vector.",
                              error.what()));
    }
    std::tie(version, server) = installed();
  }
  int major = 0, minor = 0;
  std::sscanf(version.c_str(), "%d.%d", &major, &minor);
  if (major == 0 && minor < 7)
    throw Error(Kind::kUnsupported,
                fmt::format("{}: pgvector {} is installed. Expected 0.7 or later (16-bit vectors): "
                            "upgrade it and run ALTER EXTENSION vector UPDATE.",
                            shown_, version));
  iterative_ = major > 0 || minor >= 8;
  description_ = fmt::format("PostgreSQL {}, pgvector {}, table {}",
                             server.substr(0, server.find(' ')), version, name_);
}

void PgvectorStore::make_tables(PgConnection& connection, const StoreMeta& asked) const {
  const auto exists =
      connection.query("SELECT to_regclass($1)", std::array{PgValue{quoted("tandem")}});
  if (!exists.is_null(0, 0)) return;
  if (asked.width < 1 || asked.width > 16'000)
    throw Error(Kind::kInput,
                fmt::format("{}: vectors of width {}. Expected 1 to 16000.", shown_, asked.width));
  PgTransaction transaction(connection);
  // Two that begin at once would both find nothing.
  connection.query("SELECT pg_advisory_xact_lock(hashtext($1))", std::array{PgValue{table_}});
  connection.execute(fmt::format(
      "CREATE TABLE IF NOT EXISTS {} ("
      "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
      "uri_key bytea NOT NULL UNIQUE, "  // SHA-256 of the uri: uris are too long for an index
      "uri text COLLATE \"C\" NOT NULL, kind text COLLATE \"C\" NOT NULL, "
      "sha256 text COLLATE \"C\" NOT NULL, size_bytes bigint NOT NULL, mtime_ns bigint NOT NULL, "
      "width integer NOT NULL, height integer NOT NULL, caption text COLLATE \"C\" NOT NULL, "
      "metadata jsonb NOT NULL, embedding halfvec({}) NOT NULL)",
      table_, asked.width));
  connection.execute(fmt::format("CREATE INDEX IF NOT EXISTS {} ON {} (mtime_ns DESC, id)",
                                 "\"" + name_.substr(name_.find('.') + 1) + "_by_date\"", table_));
  connection.execute(
      fmt::format("CREATE TABLE IF NOT EXISTS {} (name text PRIMARY KEY, value text NOT NULL)",
                  quoted("tandem")));
  for (const auto& [name, value] : {std::pair<std::string, std::string>{"format", "1"},
                                    {"model", to_wire(asked.model_name)},
                                    {"fingerprint", to_wire(asked.fingerprint)},
                                    {"width", std::to_string(asked.width)}})
    connection.query(
        fmt::format("INSERT INTO {} VALUES ($1, $2) ON CONFLICT DO NOTHING", quoted("tandem")),
        std::array{PgValue{name}, PgValue{value}});
  transaction.commit();
}

void PgvectorStore::read_meta(PgConnection& connection) {
  const auto exists =
      connection.query("SELECT to_regclass($1)", std::array{PgValue{quoted("tandem")}});
  if (exists.is_null(0, 0))
    throw Error(Kind::kNotFound, fmt::format("{}: no table {} of Tandem's here. Make it with "
                                             "\"tandem index … --to\".",
                                             shown_, name_));
  const auto rows = connection.query("SELECT name, value FROM " + quoted("tandem"));
  std::string format;
  for (int row = 0; row < rows.rows(); ++row) {
    const auto name = rows.bytes(row, 0);
    if (name == "format") format = rows.text(row, 1);
    if (name == "model") meta_.model_name = from_wire(rows.bytes(row, 1));
    if (name == "fingerprint") meta_.fingerprint = from_wire(rows.bytes(row, 1));
    if (name == "width") meta_.width = static_cast<int>(rows.integer(row, 1));
  }
  if (format != "1")
    throw Error(Kind::kUnsupported, fmt::format("{}: table {} has format \"{}\". Expected 1: use "
                                                "the version of Tandem that made it.",
                                                shown_, name_, format));
}

bool PgvectorStore::has_index(PgConnection& connection) const {
  return connection
             .query(
                 "SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a "
                 "ON a.oid = c.relam WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND "
                 "a.amname = 'hnsw'",
                 std::array{PgValue{table_}})
             .rows() > 0;
}

void PgvectorStore::index_when_large() {
  if (indexed_ || meta_.width > kWidestIndex) return;
  indexed_ = pool_->with_connection([this](PgConnection& connection) {
    const auto enough = connection.query(fmt::format(
        "SELECT count(*) FROM (SELECT 1 FROM {} LIMIT {}) AS first_rows", table_, index_rows_));
    if (static_cast<std::size_t>(enough.integer(0, 0)) < std::max<std::size_t>(index_rows_, 1))
      return false;
    if (has_index(connection)) return true;
    PgTransaction transaction(connection);
    connection.execute("SET LOCAL statement_timeout = 0");
    connection.execute(
        fmt::format("CREATE INDEX ON {} USING hnsw (embedding halfvec_cosine_ops)", table_));
    transaction.commit();
    return true;
  });
}

std::size_t PgvectorStore::size() const {
  return pool_->with_connection([this](PgConnection& connection) {
    return static_cast<std::size_t>(
        connection.query("SELECT count(*) FROM " + table_).integer(0, 0));
  });
}

void PgvectorStore::each_known(const std::function<void(const KnownItem&)>& row) const {
  std::string after = "0";
  for (;;) {
    const auto page = pool_->with_connection([this, &after](PgConnection& connection) {
      return connection.query(fmt::format("SELECT {} FROM {} WHERE id > $1 ORDER BY id LIMIT {}",
                                          kColumns, table_, kPageRows),
                              std::array{PgValue{after}});
    });
    for (int i = 0; i < page.rows(); ++i) {
      auto item = item_of(page, i);
      row({item.id, std::move(item.uri), std::move(item.sha256), item.size_bytes, item.mtime_ns,
           std::move(item.caption), std::move(item.metadata_json)});
    }
    if (page.rows() < static_cast<int>(kPageRows)) return;
    after = page.text(page.rows() - 1, 0);
  }
}

void PgvectorStore::upsert(std::span<const Item> items, const Matrix& vectors) {
  check_rows(items, vectors, meta_.width);
  CopyRows rows;
  for (const auto i : last_of_each_uri(items)) {
    const auto& item = items[i];
    const auto key = sha256(std::as_bytes(std::span(item.uri.data(), item.uri.size())));
    rows.row(11);
    rows.text({reinterpret_cast<const char*>(key.data()), key.size()});
    rows.text(to_wire(item.uri));
    rows.text(kind_name(item.kind));
    rows.text(to_wire(item.sha256));
    rows.integer(static_cast<std::int64_t>(item.size_bytes), 8);
    rows.integer(item.mtime_ns, 8);
    rows.integer(item.width, 4);
    rows.integer(item.height, 4);
    rows.text(to_wire(item.caption));
    rows.json(json::dump(to_wire_tree(json::value(metadata_of(item)))));
    rows.text(half_vector(vectors.row(i)));
  }
  const auto data = rows.finish();
  constexpr const char* kStored =
      "uri_key, uri, kind, sha256, size_bytes, mtime_ns, width, height, caption, metadata, "
      "embedding";
  pool_->with_connection([&](PgConnection& connection) {
    PgTransaction transaction(connection);
    connection.execute(fmt::format(
        "CREATE TEMP TABLE tandem_incoming ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA",
        kStored, table_));
    connection.copy_in(fmt::format("COPY tandem_incoming ({}) FROM STDIN (FORMAT BINARY)", kStored),
                       data);
    // In one order always, so that two writers of the same rows do not wait for each other.
    connection.execute(fmt::format(
        "INSERT INTO {0} ({1}) SELECT {1} FROM tandem_incoming ORDER BY uri_key "
        "ON CONFLICT (uri_key) DO UPDATE SET kind = excluded.kind, sha256 = excluded.sha256, "
        "size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, width = excluded.width, "
        "height = excluded.height, caption = excluded.caption, metadata = excluded.metadata, "
        "embedding = excluded.embedding",
        table_, kStored));
    transaction.commit();
    return 0;
  });
  index_when_large();
}

std::size_t PgvectorStore::remove(std::span<const std::int64_t> ids) {
  return pool_->with_connection([&](PgConnection& connection) {
    return connection
        .query(fmt::format("DELETE FROM {} WHERE id = ANY($1::bigint[])", table_),
               std::array{PgValue{id_list(ids)}})
        .affected();
  });
}

std::vector<Hit> PgvectorStore::search(std::span<const float> query,
                                       const SearchOptions& options) const {
  check_query(query, meta_.width);
  check_options(options, shown_);
  std::vector<PgValue> values = {{half_vector(query), true}};
  const auto where = options.filter ? to_postgres(*options.filter, values) : "TRUE";
  // The distance to a row of zeros is NaN.
  const auto distance = fmt::format("embedding <=> $1::halfvec({})", meta_.width);
  const auto sql = [&](const std::string& order) {
    return "SELECT id, CASE WHEN d = 'NaN' THEN 0 ELSE 1 - d END AS score, uri, caption FROM "
           "(SELECT id, " +
           distance + " AS d, uri, caption FROM " + table_ + " WHERE " + where + " ORDER BY " +
           order + " LIMIT " + std::to_string(options.top_k) +
           ") AS nearest ORDER BY score DESC, id";
  };
  const int ef = std::min(
      kLargestEf, static_cast<int>(std::max(options.expansion, options.top_k + options.top_k / 2)));
  return pool_->with_connection([&](PgConnection& connection) {
    if (connection.ef_search != ef) {
      connection.execute(fmt::format("SET hnsw.ef_search = {}{}", ef,
                                     iterative_ ? "; SET hnsw.iterative_scan = strict_order" : ""));
      connection.ef_search = ef;
    }
    auto rows = connection.query(sql(distance), values);
    // An index looks at so many rows and no more: what it leaves out is looked for one by one.
    if (static_cast<std::size_t>(rows.rows()) < options.top_k) {
      PgTransaction transaction(connection);
      connection.execute("SET LOCAL enable_indexscan = off");
      rows = connection.query(sql(distance + ", id"), values);
      transaction.commit();
    }
    std::vector<Hit> hits;
    for (int row = 0; row < rows.rows(); ++row)
      hits.push_back({rows.integer(row, 0), static_cast<float>(rows.number(row, 1)),
                      from_wire(rows.bytes(row, 2)), from_wire(rows.bytes(row, 3))});
    return hits;
  });
}

std::vector<Item> PgvectorStore::items(std::span<const std::int64_t> ids) const {
  const auto rows = pool_->with_connection([&](PgConnection& connection) {
    return connection.query(
        fmt::format("SELECT {} FROM {} WHERE id = ANY($1::bigint[])", kColumns, table_),
        std::array{PgValue{id_list(ids)}});
  });
  std::unordered_map<std::int64_t, int> place;
  for (int row = 0; row < rows.rows(); ++row) place[rows.integer(row, 0)] = row;
  std::vector<Item> out;
  for (const auto id : ids) {
    const auto found = place.find(id);
    if (found != place.end()) out.push_back(item_of(rows, found->second));
  }
  return out;
}

Matrix PgvectorStore::vectors(std::span<const std::int64_t> ids) const {
  const auto rows = pool_->with_connection([&](PgConnection& connection) {
    return connection.query(
        fmt::format("SELECT id, embedding FROM {} WHERE id = ANY($1::bigint[])", table_),
        std::array{PgValue{id_list(ids)}}, true);
  });
  const auto byte = [](std::string_view bytes, std::size_t at) {
    return static_cast<std::uint64_t>(static_cast<unsigned char>(bytes.at(at)));
  };
  std::unordered_map<std::int64_t, int> place;
  for (int row = 0; row < rows.rows(); ++row) {
    std::uint64_t id = 0;
    for (std::size_t i = 0; i < 8; ++i) id = (id << 8) | byte(rows.bytes(row, 0), i);
    place[static_cast<std::int64_t>(id)] = row;
  }
  Matrix out(ids.size(), static_cast<std::size_t>(meta_.width));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto found = place.find(ids[i]);
    if (found == place.end())
      throw Error(Kind::kNotFound, fmt::format("{}: no item {}.", shown_, ids[i]));
    const auto bytes = rows.bytes(found->second, 1);
    if (bytes.size() != 4 + 2 * out.cols)
      throw Error(Kind::kCorrupt, fmt::format("{}: item {} has another width.", shown_, ids[i]));
    for (std::size_t c = 0; c < out.cols; ++c)
      out.row(i)[c] = half_to_float(
          static_cast<std::uint16_t>((byte(bytes, 4 + 2 * c) << 8) | byte(bytes, 5 + 2 * c)));
  }
  return out;
}

std::vector<std::int64_t> PgvectorStore::list(const std::optional<ItemFilter>& filter,
                                              std::size_t offset, std::size_t limit) const {
  std::vector<PgValue> values;
  const auto where = filter ? to_postgres(*filter, values) : "TRUE";
  const auto rows = pool_->with_connection([&](PgConnection& connection) {
    return connection.query(
        fmt::format("SELECT id FROM {} WHERE {} ORDER BY mtime_ns DESC, id OFFSET {} LIMIT {}",
                    table_, where, offset, std::min<std::size_t>(limit, 1'000'000'000)),
        values);
  });
  std::vector<std::int64_t> ids;
  for (int row = 0; row < rows.rows(); ++row) ids.push_back(rows.integer(row, 0));
  return ids;
}

std::vector<std::int64_t> PgvectorStore::sample(std::size_t count) const {
  // Hashes are spread as if drawn by chance, and have an index.
  const auto rows = pool_->with_connection([&](PgConnection& connection) {
    return connection.query(
        fmt::format("SELECT id FROM {} ORDER BY uri_key LIMIT {}", table_, count));
  });
  std::vector<std::int64_t> ids;
  for (int row = 0; row < rows.rows(); ++row) ids.push_back(rows.integer(row, 0));
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::optional<std::string> PgvectorStore::note(const std::string& name) const {
  const auto rows = pool_->with_connection([&](PgConnection& connection) {
    return connection.query(fmt::format("SELECT value FROM {} WHERE name = $1", quoted("tandem")),
                            std::array{PgValue{"note:" + name}});
  });
  if (rows.rows() == 0) return std::nullopt;
  return from_wire(rows.bytes(0, 0));
}

void PgvectorStore::set_note(const std::string& name, const std::string& text) {
  pool_->with_connection([&](PgConnection& connection) {
    connection.query(fmt::format("INSERT INTO {} VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET "
                                 "value = excluded.value",
                                 quoted("tandem")),
                     std::array{PgValue{"note:" + name}, PgValue{to_wire(text)}});
    return 0;
  });
}

}  // namespace

std::unique_ptr<Store> open_pgvector(StoreLocation location, OpenMode mode,
                                     const StoreMeta& asked) {
  return std::make_unique<PgvectorStore>(std::move(location), mode, asked);
}

}  // namespace tandem
