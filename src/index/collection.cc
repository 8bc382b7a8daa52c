#include "index/collection.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/tensor.h"
#include "index/collection_rep.h"
#include "index/schema.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr const char* kItemColumns =
    "id, uri, sha256, size_bytes, mtime_ns, width, height, caption, metadata";

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
      : writer_(writer),
        revision_(last_revision(writer)),
        item_(
            writer,
            "INSERT INTO items(uri, sha256, size_bytes, mtime_ns, width, height, caption, metadata)"
            " VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(uri) DO UPDATE SET sha256 = "
            "excluded.sha256,"
            " size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, width = "
            "excluded.width,"
            " height = excluded.height, caption = excluded.caption, metadata = excluded.metadata "
            "RETURNING id"),
        vector_(
            writer,
            "INSERT OR REPLACE INTO vectors(id, vector, checksum, revision) VALUES(?, ?, ?, ?)") {}

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
    vector_.bind(1, id).bind(2, vector).bind(3, vector_checksum(id, vector));
    vector_.bind(4, ++revision_).run();
  }
  void finish() { set_last_revision(writer_, revision_); }

 private:
  Database& writer_;
  std::int64_t revision_;
  Statement item_;
  Statement vector_;
};

std::optional<Item> find(CollectionRep& rep, const char* condition, const std::string& text) {
  const auto reader = rep.readers.lease();
  Statement select(*reader,
                   fmt::format("SELECT {} FROM items WHERE {} LIMIT 1", kItemColumns, condition));
  select.bind(1, text);
  if (!select.step()) return std::nullopt;
  return item_of(select);
}

Database& writable(CollectionRep& rep) {
  if (rep.writer == nullptr)
    throw Error(Kind::kInternal, rep.dir.string() + ": was opened for reading");
  return *rep.writer;
}

bool lies_below(const std::string& uri, std::string root) {
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  if (uri == root) return true;
  if (root.empty()) return false;
  if (root != "/") root += '/';
  return uri.starts_with(root);
}

}  // namespace

Collection::Collection(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Collection::~Collection() = default;
Collection::Collection(Collection&&) noexcept = default;

Collection Collection::open(const fs::path& dir, OpenMode mode, const std::string& model_name,
                            const std::string& fingerprint, int width) {
  const CollectionMeta asked{model_name, fingerprint, width};
  const fs::path file = dir / "items.sqlite";
  auto rep = std::make_unique<Rep>(dir);
  if (mode == OpenMode::kWrite) {
    prepare_folder(dir);
    rep->lock = std::make_unique<WriterLock>(dir);
    rep->writer = std::make_unique<Database>(file, Database::Mode::kWrite);
    if (is_blank(*rep->writer)) {
      create_schema(*rep->writer, asked);
      sync_folder(dir);
      sync_folder(fs::absolute(dir).parent_path());
    }
    migrate_schema(*rep->writer);
  } else if (!fs::exists(file)) {
    throw Error(
        Kind::kNotFound,
        dir.string() + ": no collection there. Expected a folder made by \"tandem index\".");
  }
  rep->meta = read_schema(*rep->readers.lease());
  check_meta(dir, rep->meta, asked);
  return Collection(std::move(rep));
}

std::optional<Item> Collection::find_uri(const std::string& uri) const {
  return find(*rep_, "uri = ?", uri);
}

std::optional<Item> Collection::find_content(const std::string& sha256) const {
  return find(*rep_, "sha256 = ?", sha256);
}

void Collection::upsert(std::span<const Item> items, const Matrix& vectors) {
  if (vectors.rows != items.size() || vectors.cols != static_cast<std::size_t>(rep_->meta.width)) {
    throw Error(Kind::kInternal,
                fmt::format("upsert: {} items with {} x {} values; the width is {}", items.size(),
                            vectors.rows, vectors.cols, rep_->meta.width));
  }
  const std::lock_guard guard(rep_->write_mutex);
  Transaction transaction(writable(*rep_), Transaction::Kind::kWrite);
  Upserter upserter(*rep_->writer);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::vector<std::uint16_t> halves = to_halves(vectors.row(i), items[i]);
    upserter.add(items[i], std::as_bytes(std::span(halves)));
  }
  upserter.finish();
  transaction.commit();
}

void Collection::upsert_same_content(const Item& item, std::int64_t same_as_id) {
  const std::lock_guard guard(rep_->write_mutex);
  Transaction transaction(writable(*rep_), Transaction::Kind::kWrite);
  std::vector<std::byte> vector;
  {
    Statement select(*rep_->writer, "SELECT vector FROM vectors WHERE id = ?");
    if (!select.bind(1, same_as_id).step()) {
      throw Error(Kind::kNotFound, fmt::format("{}: no item {}", rep_->dir.string(), same_as_id));
    }
    const auto bytes = select.blob(0);
    vector.assign(bytes.begin(), bytes.end());
  }
  Upserter upserter(*rep_->writer);
  upserter.add(item, vector);
  upserter.finish();
  transaction.commit();
}

std::size_t Collection::remove_missing(const std::vector<std::string>& roots,
                                       const std::vector<std::string>& keep) {
  const std::unordered_set<std::string_view> kept(keep.begin(), keep.end());
  const std::lock_guard guard(rep_->write_mutex);
  Transaction transaction(writable(*rep_), Transaction::Kind::kWrite);
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
  if (!gone.empty()) set_last_revision(*rep_->writer, last_revision(*rep_->writer) + 1);
  transaction.commit();
  return gone.size();
}

std::size_t Collection::size() const {
  return static_cast<std::size_t>(rep_->readers.lease()->integer("SELECT count(*) FROM items"));
}

std::string Collection::model_name() const { return rep_->meta.model_name; }
std::string Collection::fingerprint() const { return rep_->meta.fingerprint; }
int Collection::width() const { return rep_->meta.width; }

}  // namespace tandem
