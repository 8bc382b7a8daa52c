// Where items and their vectors live: a Collection on this machine (collection.h), or a database
// (store_NAME.cc). One interface, so that `tandem index`, `tandem search` and `tandem serve` do not
// know which. Acknowledged means stored: what a call that returned has written survives a crash.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tandem/matrix.h"

#include "index/item.h"
#include "index/item_filter.h"

namespace tandem {

struct StoreMeta {
  std::string model_name;
  std::string fingerprint;  // of weights and preprocessing: which space the vectors are in
  int width = 0;
};

struct SearchOptions {
  std::size_t top_k = 10;
  std::optional<ItemFilter> filter;
  // Collections only (others throw kUnsupported): SQL condition over items' columns id, kind, uri,
  // sha256, size_bytes, mtime_ns, width, height, caption, metadata (JSON: metadata->>'$.tag' =
  // 'x'); empty: all. It can only read that table and call harmless functions.
  std::string where;
  int where_timeout_ms = 5'000;  // a condition that takes longer is refused with kInput
  std::size_t threads = 0;       // for large collections; 0: one per available core
  // Collections of at least this many rows are searched by the graph, if they have one; fewer are
  // scanned as fast.
  std::size_t graph_rows = 50'000;
  std::size_t expansion = 96;  // candidates that a graph keeps on the way
};

// What is known of a file, for deciding whether it must be read again.
struct KnownItem {
  std::int64_t id = 0;
  std::string uri;
  std::string sha256;
  std::uint64_t size_bytes = 0;
  std::int64_t mtime_ns = 0;
  std::string caption;
  std::string metadata_json;
};

enum class OpenMode { kRead, kWrite };

// Safe to share between threads. Failures of a database: kNetwork (unreachable), kInput (it
// refused), kUnsupported (its version).
class Store {
 public:
  virtual ~Store() = default;

  virtual StoreMeta meta() const = 0;
  virtual std::string describe() const = 0;  // "PostgreSQL 16.2, pgvector 0.8.0, table pictures"
  virtual std::size_t size() const = 0;
  // Every item's, in no particular order.
  virtual void each_known(const std::function<void(const KnownItem&)>& row) const = 0;

  // Inserts or replaces by uri, all of them or (databases without transactions) a prefix; stored
  // when it returns. Item::id is ignored. vectors: (N,width) unit rows. Throws kInput for rows with
  // NaN or infinity.
  virtual void upsert(std::span<const Item> items, const Matrix& vectors) = 0;
  // Replaces all but id, kind and vector of items that exist, by id: renames, new captions. An item
  // that has one of the new uris already is removed; ids that do not exist are passed over. The new
  // uris differ from each other. Stored when it returns. Here by upsert() and remove(): renamed
  // items then get a new id.
  virtual void update(std::span<const Item> items);
  // Returns how many there were.
  virtual std::size_t remove(std::span<const std::int64_t> ids) = 0;

  // Best first; equal scores by id. Fewer than top_k only when fewer rows match. query: (width)
  // unit row. Throws kInput (width, NaN, a bad condition), kCorrupt (a stored vector's checksum is
  // wrong).
  virtual std::vector<Hit> search(std::span<const float> query,
                                  const SearchOptions& options) const = 0;
  // Those of `ids` that exist, in the order asked for.
  virtual std::vector<Item> items(std::span<const std::int64_t> ids) const = 0;
  // (N,width) of those ids. Throws kNotFound when one is missing.
  virtual Matrix vectors(std::span<const std::int64_t> ids) const = 0;
  // Ids of the items that fulfil `filter`, newest (mtime) first, equal ones by id. Throws
  // kUnsupported where a database cannot order.
  virtual std::vector<std::int64_t> list(const std::optional<ItemFilter>& filter,
                                         std::size_t offset, std::size_t limit) const = 0;
  // At most `count` ids spread over the store, ascending; the same as long as nothing changes.
  virtual std::vector<std::int64_t> sample(std::size_t count) const = 0;

  // Small texts kept with the items, by name ([a-z_]+): the calibration, the card. Nothing: none.
  virtual std::optional<std::string> note(const std::string& name) const = 0;
  virtual void set_note(const std::string& name, const std::string& text) = 0;
};

// `location`: a folder (NAME.tandem), or scheme://… of a database: pgvector://, qdrant://,
// milvus://, chroma://, elasticsearch://, opensearch:// (stores.cc has the table). kWrite creates
// what is missing for `asked`; a store made with another model is refused with kInput saying both.
// An empty fingerprint is not checked. Throws kNotFound (kRead, nothing there).
std::unique_ptr<Store> open_store(const std::string& location, OpenMode mode,
                                  const StoreMeta& asked);

// Whether `location` names a database.
bool is_database(const std::string& location);

// `location` for people and logs: a folder as it is, a database without users, keys and options.
std::string shown_location(const std::string& location);

}  // namespace tandem
