// A collection: NAME.tandem/items.sqlite (WAL; the truth) with one row a picture or text and its
// vector. Acknowledged means committed. One writer at a time (an advisory lock); readers may run
// beside it. Large ones are searched by a graph, NAME.tandem/vectors.usearch, derived from the
// vectors: scores are exact, and rows that it lacks are searched beside it.
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

#include "index/store.h"

namespace tandem {

struct GraphOptions {
  std::size_t minimum_rows = 50'000;  // fewer need none
  std::size_t threads = 0;            // 0: one per available core
  std::function<bool()> stop;         // asked now and then; true: gives up, the old graph stays
  std::function<void(std::size_t added, std::size_t total)> progress;
};

// What update_graph() did.
struct GraphReport {
  enum class Done { kNothing, kTooSmall, kStopped, kExtended, kBuilt };
  Done done = Done::kNothing;
  std::size_t added = 0;  // vectors
  std::size_t rows = 0;   // in the graph, removed ones among them
  std::uint64_t file_bytes = 0;
};

// How well the graph does, measured on the collection itself; kept as the note "card".
struct GraphCard {
  std::size_t rows = 0;     // of the collection when it was measured
  std::size_t queries = 0;  // stored vectors, each a little turned, asked for
  double recall_at_10 = 0;  // of the ten truly nearest, those that search() answers
  double p50_ms = 0;        // of search()
  double p99_ms = 0;
  double bytes_per_item = 0;  // the whole folder
};

// search() sees what is committed when it begins, also by other processes. Where vectors are
// scanned they are kept in memory (2 bytes a value, at most 1 GiB; larger collections without a
// graph are read for every search); after a commit only what changed is read again. A collection
// that another process has switched to another model (switch_to_next) is refused from then on:
// search() and vectors() throw kInput saying so.
class Collection final : public Store {
 public:
  // kWrite creates it when missing. `fingerprint` identifies the model (weights + preprocessing); a
  // collection made with another is refused with kInput saying both ("made with mini 3f2a…, asked
  // with vit-b-32 …"). Empty: not checked. Throws kNotFound, kCorrupt (not a collection, damaged),
  // kIo (locked by another writer, read-only medium).
  static Collection open(const std::filesystem::path& dir, OpenMode mode,
                         const std::string& model_name, const std::string& fingerprint, int width);
  ~Collection() override;
  Collection(Collection&&) noexcept;
  Collection& operator=(Collection&&) = delete;

  StoreMeta meta() const override;
  std::string describe() const override;  // "collection pictures.tandem"
  std::size_t size() const override;
  void each_known(const std::function<void(const KnownItem&)>& row) const override;
  // All of them in one transaction that is on disk when this returns. Throws kInput also for
  // metadata that is not a JSON object.
  void upsert(std::span<const Item> items, const Matrix& vectors) override;
  // In one transaction, and items keep their ids.
  void update(std::span<const Item> items) override;
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

  // What is known of `uri`; size and mtime equal to the file's mean its content need not be read
  // again.
  std::optional<Item> find_uri(const std::string& uri) const;
  // A row with the same content, so that its vector can be reused (renames, copies).
  std::optional<Item> find_content(const std::string& sha256) const;
  // Gives `item` the vector of existing content (rename or copy) without embedding again.
  void upsert_same_content(const Item& item, std::int64_t same_as_id);
  // Removes the rows whose uri is not in `keep` and is one of `roots` or lies below it. Returns how
  // many.
  std::size_t remove_missing(const std::vector<std::string>& roots,
                             const std::vector<std::string>& keep);

  // Re-embedding for another model while the vectors of this one serve: begin_next(), then
  // put_next() for all that next_missing() names, then switch_to_next() and update_graph(). Each
  // call is on disk when it returns, so a killed process goes on where it was. Searches and other
  // writes go on meanwhile: a replaced item's next vector becomes missing again, a removed one's
  // goes. kWrite only.

  // Starts, or goes on where `next` is the model that was begun before; another one's next vectors
  // are dropped. Throws kInput where `next` is the model that the collection has already.
  void begin_next(const StoreMeta& next);
  std::optional<StoreMeta> next() const;  // what was begun
  // Ids above `after` without a next vector, ascending, at most `count`.
  std::vector<std::int64_t> next_missing(std::size_t count, std::int64_t after = 0) const;
  // vectors: (N, the next width) unit rows, made from the items as they are now. Ids that no longer
  // exist are passed over. Throws kInput for NaN or infinity.
  void put_next(std::span<const std::int64_t> ids, const Matrix& vectors);
  // In one transaction: the next vectors become the collection's, meta() the next model's; notes
  // go, being about the old vectors. Throws kInput while items lack a next vector.
  void switch_to_next();
  void drop_next();

  // Brings the graph up to date: adds what it lacks, or builds it anew where there is none, it is
  // damaged, or a third of it is gone. A few new rows are left to search() to scan. Takes about
  // 0.3 ms a vector and core. Throws kIo.
  GraphReport update_graph(const GraphOptions& options);
  // Measures the graph with `queries` sampled vectors and keeps the card. Reads every vector once.
  GraphCard measure_graph(std::size_t queries, std::size_t threads);
  // The card, if there is one.
  std::optional<GraphCard> card() const;

  std::string model_name() const { return meta().model_name; }
  std::string fingerprint() const { return meta().fingerprint; }
  int width() const { return meta().width; }

 private:
  struct Rep;
  explicit Collection(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace tandem
