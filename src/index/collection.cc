#include "index/collection.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <mutex>
#include <sys/file.h>
#include <unistd.h>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/tensor.h"
#include "index/distance.h"
#include "index/schema.h"
#include "index/sqlite.h"
#include "index/where.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr const char* kItemColumns =
    "id, uri, sha256, size_bytes, mtime_ns, width, height, caption, metadata";

// An advisory lock on DIR/write.lock: one writer at a time. Given up when the process ends, however
// it ends.
class WriterLock {
 public:
  explicit WriterLock(const fs::path& dir) {
    const fs::path path = dir / "write.lock";
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) throw_errno("cannot open", path.string());
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
    const bool taken = errno == EWOULDBLOCK;
    ::close(fd_);
    if (!taken) throw_errno("cannot lock", path.string());
    throw Error(
        Kind::kIo,
        dir.string() + ": another process is writing to this collection. Wait until it is done.");
  }
  ~WriterLock() { ::close(fd_); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  int fd_ = -1;
};

// All vectors as they were after some commit.
struct Snapshot {
  std::vector<std::int64_t> ids;    // ascending
  std::vector<std::uint16_t> rows;  // (N,width) halves
};

// Makes the folder, or takes an empty or half-made one; never one with a user's other files.
void prepare_folder(const fs::path& dir) {
  std::error_code error;
  fs::create_directories(dir, error);
  if (error)
    throw Error(Kind::kIo, fmt::format("cannot create {}: {}.", dir.string(), error.message()));
  if (fs::exists(dir / "items.sqlite")) return;
  for (const auto& entry : fs::directory_iterator(dir)) {
    const std::string name = entry.path().filename().string();
    if (name == "write.lock" || name.starts_with("items.sqlite")) continue;
    throw Error(Kind::kInput,
                fmt::format("{}: holds other files ({}). Expected a collection or a new folder.",
                            dir.string(), name));
  }
}

void check_meta(const fs::path& dir, const CollectionMeta& has, const CollectionMeta& asked) {
  const bool other_model = !asked.fingerprint.empty() && asked.fingerprint != has.fingerprint;
  const bool other_width = asked.width > 0 && asked.width != has.width;
  if (!other_model && !other_width) return;
  const auto named = [](const CollectionMeta& meta) {
    return fmt::format("{} {} (width {})", meta.model_name, meta.fingerprint.substr(0, 12),
                       meta.width);
  };
  throw Error(
      Kind::kInput,
      fmt::format(
          "{}: made with {}, asked with {}. Use that model, or index into a new collection.",
          dir.string(), named(has), named(asked)));
}

Item item_of(const Statement& row) {
  Item item;
  item.id = row.integer(0);
  item.uri = row.text(1);
  item.sha256 = row.text(2);
  item.size_bytes = static_cast<std::uint64_t>(row.integer(3));
  item.mtime_ns = row.integer(4);
  item.width = static_cast<int>(row.integer(5));
  item.height = static_cast<int>(row.integer(6));
  item.caption = row.text(7);
  item.metadata_json = row.text(8);
  return item;
}

std::vector<std::uint16_t> to_halves(std::span<const float> row, const Item& item) {
  std::vector<std::uint16_t> halves(row.size());
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (!std::isfinite(row[i]))
      throw Error(Kind::kInput, item.uri + ": its vector holds NaN or infinity.");
    halves[i] = float_to_half(row[i]);
  }
  return halves;
}

// The statements of an upsert, prepared once per transaction.
class Upserter {
 public:
  explicit Upserter(Database& writer)
      : item_(
            writer,
            "INSERT INTO items(uri, sha256, size_bytes, mtime_ns, width, height, caption, metadata)"
            " VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(uri) DO UPDATE SET sha256 = "
            "excluded.sha256,"
            " size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, width = "
            "excluded.width,"
            " height = excluded.height, caption = excluded.caption, metadata = excluded.metadata "
            "RETURNING id"),
        vector_(writer, "INSERT OR REPLACE INTO vectors(id, vector, checksum) VALUES(?, ?, ?)") {}

  void add(const Item& item, std::span<const std::byte> vector) {
    item_.bind(1, item.uri)
        .bind(2, item.sha256)
        .bind(3, static_cast<std::int64_t>(item.size_bytes));
    item_.bind(4, item.mtime_ns)
        .bind(5, std::int64_t{item.width})
        .bind(6, std::int64_t{item.height});
    item_.bind(7, item.caption).bind(8, item.metadata_json);
    item_.step();
    const std::int64_t id = item_.integer(0);
    item_.run();
    vector_.bind(1, id).bind(2, vector).bind(3, vector_checksum(id, vector)).run();
  }

 private:
  Statement item_;
  Statement vector_;
};

bool lies_below(const std::string& uri, std::string root) {
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  if (uri == root) return true;
  if (root.empty()) return false;
  if (root != "/") root += '/';
  return uri.starts_with(root);
}

}  // namespace

struct Collection::Rep {
  fs::path dir;
  CollectionMeta meta;
  std::unique_ptr<WriterLock> lock;  // kWrite only
  std::unique_ptr<Database> writer;  // kWrite only
  std::unique_ptr<Database> reader;
  std::mutex mutex;  // guards the connections, `snapshot` and `version`
  std::shared_ptr<const Snapshot> snapshot;
  std::int64_t version = 0;

  std::optional<Item> find(const char* condition, const std::string& text) {
    const std::lock_guard guard(mutex);
    Statement select(*reader,
                     fmt::format("SELECT {} FROM items WHERE {} LIMIT 1", kItemColumns, condition));
    select.bind(1, text);
    if (!select.step()) return std::nullopt;
    return item_of(select);
  }

  Database& writable() {
    if (writer == nullptr) throw Error(Kind::kInternal, dir.string() + ": was opened for reading");
    return *writer;
  }

  // Requires: the mutex is held and a read transaction is open.
  void refresh_snapshot() {
    const std::int64_t current = reader->integer("PRAGMA data_version");
    if (snapshot != nullptr && current == version) return;
    snapshot = nullptr;  // the old one makes room before the new one is read
    auto fresh = std::make_shared<Snapshot>();
    const auto count = static_cast<std::size_t>(reader->integer("SELECT count(*) FROM vectors"));
    const std::size_t row_bytes = static_cast<std::size_t>(meta.width) * sizeof(std::uint16_t);
    fresh->ids.reserve(count);
    fresh->rows.reserve(count * static_cast<std::size_t>(meta.width));
    Statement select(*reader, "SELECT id, vector, checksum FROM vectors ORDER BY id");
    while (select.step()) {
      const std::int64_t id = select.integer(0);
      const auto bytes = select.blob(1);
      if (bytes.size() != row_bytes || select.integer(2) != vector_checksum(id, bytes)) {
        throw Error(
            Kind::kCorrupt,
            fmt::format("{}: the vector of item {} is damaged. Index into a new collection.",
                        dir.string(), id));
      }
      fresh->ids.push_back(id);
      const std::size_t used = fresh->rows.size();
      fresh->rows.resize(used + static_cast<std::size_t>(meta.width));
      std::memcpy(fresh->rows.data() + used, bytes.data(), row_bytes);
    }
    snapshot = std::move(fresh);
    version = current;
  }
};

Collection::Collection(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Collection::~Collection() = default;
Collection::Collection(Collection&&) noexcept = default;

Collection Collection::open(const fs::path& dir, OpenMode mode, const std::string& model_name,
                            const std::string& fingerprint, int width) {
  const CollectionMeta asked{model_name, fingerprint, width};
  auto rep = std::make_unique<Rep>();
  rep->dir = dir;
  const fs::path file = dir / "items.sqlite";
  if (mode == OpenMode::kWrite) {
    prepare_folder(dir);
    rep->lock = std::make_unique<WriterLock>(dir);
    rep->writer = std::make_unique<Database>(file, Database::Mode::kWrite);
    if (is_blank(*rep->writer)) {
      create_schema(*rep->writer, asked);
      sync_folder(dir);
      sync_folder(fs::absolute(dir).parent_path());
    }
  } else if (!fs::exists(file)) {
    throw Error(
        Kind::kNotFound,
        dir.string() + ": no collection there. Expected a folder made by \"tandem index\".");
  }
  rep->reader = std::make_unique<Database>(file, Database::Mode::kRead);
  rep->meta = read_schema(*rep->reader);
  check_meta(dir, rep->meta, asked);
  return Collection(std::move(rep));
}

std::optional<Item> Collection::find_uri(const std::string& uri) const {
  return rep_->find("uri = ?", uri);
}

std::optional<Item> Collection::find_content(const std::string& sha256) const {
  return rep_->find("sha256 = ?", sha256);
}

void Collection::upsert(std::span<const Item> items, const Matrix& vectors) {
  if (vectors.rows != items.size() || vectors.cols != static_cast<std::size_t>(rep_->meta.width)) {
    throw Error(Kind::kInternal,
                fmt::format("upsert: {} items with {} x {} values; the width is {}", items.size(),
                            vectors.rows, vectors.cols, rep_->meta.width));
  }
  const std::lock_guard guard(rep_->mutex);
  Transaction transaction(rep_->writable(), Transaction::Kind::kWrite);
  Upserter upserter(*rep_->writer);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::vector<std::uint16_t> halves = to_halves(vectors.row(i), items[i]);
    upserter.add(items[i], std::as_bytes(std::span(halves)));
  }
  transaction.commit();
}

void Collection::upsert_same_content(const Item& item, std::int64_t same_as_id) {
  const std::lock_guard guard(rep_->mutex);
  Transaction transaction(rep_->writable(), Transaction::Kind::kWrite);
  std::vector<std::byte> vector;
  {
    Statement select(*rep_->writer, "SELECT vector FROM vectors WHERE id = ?");
    if (!select.bind(1, same_as_id).step()) {
      throw Error(Kind::kNotFound, fmt::format("{}: no item {}", rep_->dir.string(), same_as_id));
    }
    const auto bytes = select.blob(0);
    vector.assign(bytes.begin(), bytes.end());
  }
  Upserter(*rep_->writer).add(item, vector);
  transaction.commit();
}

std::size_t Collection::remove_missing(const std::vector<std::string>& roots,
                                       const std::vector<std::string>& keep) {
  const std::unordered_set<std::string_view> kept(keep.begin(), keep.end());
  const std::lock_guard guard(rep_->mutex);
  Transaction transaction(rep_->writable(), Transaction::Kind::kWrite);
  std::vector<std::int64_t> gone;
  Statement select(*rep_->writer, "SELECT id, uri FROM items");
  while (select.step()) {
    const std::string uri = select.text(1);
    const auto below = [&](const std::string& root) { return lies_below(uri, root); };
    if (!kept.contains(uri) && std::any_of(roots.begin(), roots.end(), below))
      gone.push_back(select.integer(0));
  }
  Statement remove(*rep_->writer, "DELETE FROM items WHERE id = ?");  // its vector goes with it
  for (const std::int64_t id : gone) remove.bind(1, id).run();
  transaction.commit();
  return gone.size();
}

std::size_t Collection::size() const {
  const std::lock_guard guard(rep_->mutex);
  return static_cast<std::size_t>(rep_->reader->integer("SELECT count(*) FROM items"));
}

std::string Collection::model_name() const { return rep_->meta.model_name; }
std::string Collection::fingerprint() const { return rep_->meta.fingerprint; }
int Collection::width() const { return rep_->meta.width; }

namespace {

// The positions in `ids` of those that are in `wanted`; both are ascending.
std::vector<std::size_t> positions_of(const std::vector<std::int64_t>& ids,
                                      const std::vector<std::int64_t>& wanted) {
  std::vector<std::size_t> positions;
  std::size_t at = 0;
  for (const std::int64_t id : wanted) {
    while (at < ids.size() && ids[at] < id) ++at;
    if (at < ids.size() && ids[at] == id) positions.push_back(at);
  }
  return positions;
}

// Nothing when an item was removed since its vector was read.
std::optional<std::vector<Hit>> hits_for(Database& reader, const std::vector<Scored>& best) {
  std::vector<Hit> hits;
  Statement select(reader, "SELECT uri, caption FROM items WHERE id = ?");
  for (const Scored& scored : best) {
    select.reset();
    if (!select.bind(1, scored.id).step()) return std::nullopt;
    hits.push_back({scored.id, scored.score, select.text(0), select.text(1)});
  }
  return hits;
}

}  // namespace

std::vector<Hit> Collection::search(std::span<const float> query,
                                    const SearchOptions& options) const {
  const auto width = static_cast<std::size_t>(rep_->meta.width);
  if (query.size() != width ||
      !std::all_of(query.begin(), query.end(), [](float x) { return std::isfinite(x); })) {
    throw Error(Kind::kInput, fmt::format("{}: a query of {} values. Expected {} finite ones.",
                                          rep_->dir.string(), query.size(), width));
  }
  // The scan runs unlocked, so that searches overlap; a commit in between is rare, and then it is
  // repeated.
  while (true) {
    std::shared_ptr<const Snapshot> snapshot;
    std::vector<std::size_t> selected;
    std::int64_t version = 0;
    {
      const std::lock_guard guard(rep_->mutex);
      Transaction transaction(*rep_->reader, Transaction::Kind::kRead);
      rep_->refresh_snapshot();
      snapshot = rep_->snapshot;
      version = rep_->version;
      if (!options.where.empty()) {
        selected = positions_of(
            snapshot->ids, matching_ids(*rep_->reader, options.where, options.where_timeout_ms));
      }
      transaction.commit();
    }
    RowSet set{snapshot->ids, snapshot->rows, std::nullopt};
    if (!options.where.empty()) set.selected = selected;
    const auto best = best_rows(query, set, options.top_k, options.threads);
    const std::lock_guard guard(rep_->mutex);
    if (auto hits = hits_for(*rep_->reader, best)) return *std::move(hits);
    if (rep_->reader->integer("PRAGMA data_version") == version) {
      throw Error(
          Kind::kCorrupt,
          rep_->dir.string() + ": holds vectors without items. Index into a new collection.");
    }
  }
}

}  // namespace tandem
