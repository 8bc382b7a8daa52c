#include "index/collection.h"

#include <algorithm>
#include <fmt/format.h>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "index/collection_rep.h"
#include "index/schema.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

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

void check_meta(const fs::path& dir, const StoreMeta& has, const StoreMeta& asked) {
  const bool other_model = !asked.fingerprint.empty() && asked.fingerprint != has.fingerprint;
  const bool other_width = asked.width > 0 && asked.width != has.width;
  if (!other_model && !other_width) return;
  const auto named = [](const StoreMeta& meta) {
    return fmt::format("{} {} (width {})", meta.model_name, meta.fingerprint.substr(0, 12),
                       meta.width);
  };
  throw Error(
      Kind::kInput,
      fmt::format(
          "{}: made with {}, asked with {}. Use that model, or index into a new collection.",
          dir.string(), named(has), named(asked)));
}

// Metadata as SQLite's functions read them: an object, nothing in it escaped that need not be. One
// row that is not JSON would make every condition on metadata fail.
std::string checked_metadata(const Item& item) {
  if (item.metadata_json == "{}") return item.metadata_json;
  json::value tree;
  try {
    tree = json::parse(item.metadata_json, item.uri + ": metadata");
  } catch (const Error& error) {
    throw Error(Kind::kInput, error.what());
  }
  if (!tree.is_object())
    throw Error(Kind::kInput, item.uri + ": its metadata are not a JSON object.");
  return json::dump(tree);
}

// The statements of an upsert, prepared once per transaction.
class Upserter {
 public:
  explicit Upserter(Database& writer)
      : writer_(writer),
        revision_(meta_integer(writer, "revision")),
        count_(meta_integer(writer, "count")),
        last_id_(writer.integer("SELECT seq FROM sqlite_sequence WHERE name = 'items'")),
        item_(writer,
              "INSERT INTO items(uri, sha256, size_bytes, mtime_ns, width, height, caption, "
              "metadata, kind) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(uri) DO UPDATE SET "
              "sha256 = excluded.sha256, size_bytes = excluded.size_bytes, "
              "mtime_ns = excluded.mtime_ns, width = excluded.width, height = excluded.height, "
              "caption = excluded.caption, metadata = excluded.metadata, kind = excluded.kind "
              "RETURNING id"),
        vector_(
            writer,
            "INSERT OR REPLACE INTO vectors(id, vector, checksum, revision) VALUES(?, ?, ?, ?)"),
        forget_next_(writer, "DELETE FROM next_vectors WHERE id = ?") {}

  void add(const Item& item, std::span<const std::uint16_t> halves) {
    item_.bind(1, item.uri)
        .bind(2, item.sha256)
        .bind(3, static_cast<std::int64_t>(item.size_bytes));
    item_.bind(4, item.mtime_ns)
        .bind(5, std::int64_t{item.width})
        .bind(6, std::int64_t{item.height});
    item_.bind(7, item.caption).bind(8, checked_metadata(item)).bind(9, kind_name(item.kind));
    item_.step();
    const std::int64_t id = item_.integer(0);
    item_.run();
    if (id > last_id_) {  // new ones count up
      last_id_ = id;
      ++count_;
    } else {
      forget_next_.bind(1, id).run();  // it was made from what the item was before
    }
    const auto vector = std::as_bytes(halves);
    vector_.bind(1, id).bind(2, vector).bind(3, vector_checksum(id, vector));
    vector_.bind(4, ++revision_).run();
  }
  void finish() {
    set_meta(writer_, "revision", revision_);
    set_meta(writer_, "count", count_);
  }

 private:
  Database& writer_;
  std::int64_t revision_;
  std::int64_t count_;
  std::int64_t last_id_;
  Statement item_;
  Statement vector_;
  Statement forget_next_;
};

// Their vectors and next vectors go with them. Requires: a transaction.
std::size_t remove_rows(Database& writer, std::span<const std::int64_t> ids) {
  std::size_t removed = 0;
  Statement remove(writer, "DELETE FROM items WHERE id = ?");
  for (const std::int64_t id : ids) {
    remove.bind(1, id).run();
    removed += static_cast<std::size_t>(sqlite3_changes(writer.handle()));
  }
  if (removed == 0) return 0;
  set_meta(writer, "revision", meta_integer(writer, "revision") + 1);
  set_meta(writer, "count", meta_integer(writer, "count") - static_cast<std::int64_t>(removed));
  return removed;
}

// Renames come in two steps, since one item's new uri may be another's old one.
void update_rows(Database& writer, std::span<const Item> items) {
  Statement free_uri(writer, "UPDATE items SET uri = char(0) || id WHERE id = ?");
  std::vector<const Item*> there;
  for (const auto& item : items) {
    free_uri.bind(1, item.id).run();
    if (sqlite3_changes(writer.handle()) != 0) there.push_back(&item);
  }
  if (there.empty()) return;
  std::vector<std::int64_t> replaced;
  Statement holder(writer, "SELECT id FROM items WHERE uri = ?");
  for (const Item* item : there) {
    holder.reset();
    if (holder.bind(1, item->uri).step()) replaced.push_back(holder.integer(0));
  }
  holder.reset();
  remove_rows(writer, replaced);
  Statement update(writer,
                   "UPDATE items SET uri = ?, sha256 = ?, size_bytes = ?, mtime_ns = ?, "
                   "width = ?, height = ?, caption = ?, metadata = ? WHERE id = ?");
  for (const Item* item : there) {
    update.bind(1, item->uri).bind(2, item->sha256);
    update.bind(3, static_cast<std::int64_t>(item->size_bytes)).bind(4, item->mtime_ns);
    update.bind(5, std::int64_t{item->width}).bind(6, std::int64_t{item->height});
    update.bind(7, item->caption).bind(8, checked_metadata(*item)).bind(9, item->id).run();
  }
  // No vector changed, but what conditions find did.
  set_meta(writer, "revision", meta_integer(writer, "revision") + 1);
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
  const StoreMeta asked{model_name, fingerprint, width};
  const fs::path file = dir / "items.sqlite";
  auto rep = std::make_unique<Rep>(dir);
  if (mode == OpenMode::kWrite) {
    prepare_folder(dir);
    rep->lock = std::make_unique<FolderLock>(dir, FolderLock::Kind::kAlone);
    if (!rep->lock->held()) {
      throw Error(
          Kind::kIo,
          dir.string() + ": another process is writing to this collection. Wait until it is done.");
    }
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
  rep->set_meta(read_schema(*rep->readers.lease()));
  check_meta(dir, rep->meta(), asked);
  return Collection(std::move(rep));
}

void Collection::upsert(std::span<const Item> items, const Matrix& vectors) {
  const std::lock_guard guard(rep_->write_mutex);
  const auto width = static_cast<std::size_t>(rep_->meta().width);
  if (vectors.rows != items.size() || vectors.cols != width) {
    throw Error(Kind::kInternal,
                fmt::format("upsert: {} items with {} x {} values; the width is {}", items.size(),
                            vectors.rows, vectors.cols, width));
  }
  Transaction transaction(writable(*rep_), Transaction::Kind::kWrite);
  Upserter upserter(*rep_->writer);
  for (std::size_t i = 0; i < items.size(); ++i)
    upserter.add(items[i], to_halves(vectors.row(i), items[i].uri));
  upserter.finish();
  transaction.commit();
}

void Collection::update(std::span<const Item> items) {
  const std::lock_guard guard(rep_->write_mutex);
  Transaction transaction(writable(*rep_), Transaction::Kind::kWrite);
  update_rows(*rep_->writer, items);
  transaction.commit();
}

std::size_t Collection::remove(std::span<const std::int64_t> ids) {
  const std::lock_guard guard(rep_->write_mutex);
  Transaction transaction(writable(*rep_), Transaction::Kind::kWrite);
  const std::size_t removed = remove_rows(*rep_->writer, ids);
  transaction.commit();
  return removed;
}

void Collection::upsert_same_content(const Item& item, std::int64_t same_as_id) {
  const std::lock_guard guard(rep_->write_mutex);
  Transaction transaction(writable(*rep_), Transaction::Kind::kWrite);
  std::vector<std::uint16_t> vector(static_cast<std::size_t>(rep_->meta().width));
  {
    Statement select(*rep_->writer, "SELECT vector, checksum FROM vectors WHERE id = ?");
    if (!select.bind(1, same_as_id).step())
      throw Error(Kind::kNotFound, fmt::format("{}: no item {}", rep_->dir.string(), same_as_id));
    copy_vector(*rep_->writer, same_as_id, select.blob(0), select.integer(1), vector);
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
  const std::size_t removed = remove_rows(*rep_->writer, gone);
  transaction.commit();
  return removed;
}

void Collection::set_note(const std::string& name, const std::string& text) {
  const std::lock_guard guard(rep_->write_mutex);
  Transaction transaction(writable(*rep_), Transaction::Kind::kWrite);
  tandem::set_meta(*rep_->writer, note_key(name), text);
  transaction.commit();
}

}  // namespace tandem
