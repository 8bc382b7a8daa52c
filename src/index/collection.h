// A collection: NAME.tandem/items.sqlite (WAL; the truth) with one row a picture and its vector.
// Acknowledged means committed. One writer at a time (an advisory lock); readers may run beside it.
// Large ones are searched by a graph, NAME.tandem/vectors.usearch, derived from the vectors: scores
// are exact, and rows that it lacks are searched beside it.
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

namespace tandem {

// One picture known to the collection. DESIGN "A collection" lists the columns.
struct Item {
  std::int64_t id = 0;  // assigned by the collection
  std::string uri;      // path as it was given
  std::string sha256;   // hex, of the file's bytes
  std::uint64_t size_bytes = 0;
  std::int64_t mtime_ns = 0;
  int width = 0;
  int height = 0;
  std::string caption;
  std::string metadata_json = "{}";  // column `metadata`
};

struct Hit {
  std::int64_t id = 0;
  float score = 0;
  std::string uri;
  std::string caption;
};

struct SearchOptions {
  std::size_t top_k = 10;
  // SQL condition over items' columns id, uri, sha256, size_bytes, mtime_ns, width, height,
  // caption, metadata (JSON: metadata->>'$.tag' = 'x'); empty: all. It can only read that table and
  // call harmless functions.
  std::string where;
  int where_timeout_ms = 5'000;  // a condition that takes longer is refused with kInput
  std::size_t threads = 0;       // for large collections; 0: one per available core
  // Collections of at least this many rows are searched by the graph, if they have one; fewer are
  // scanned as fast.
  std::size_t graph_rows = 50'000;
  std::size_t expansion = 96;  // candidates that the graph keeps on the way
};

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

enum class OpenMode { kRead, kWrite };

// How well the graph does, measured on the collection itself; kept in NAME.tandem/card.json.
struct GraphCard {
  std::size_t rows = 0;     // of the collection when it was measured
  std::size_t queries = 0;  // stored vectors, each a little turned, asked for
  double recall_at_10 = 0;  // of the ten truly nearest, those that search() answers
  double p50_ms = 0;        // of search()
  double p99_ms = 0;
  double bytes_per_item = 0;  // the whole folder
};

// Safe to share between threads. search() sees what is committed when it begins, also by other
// processes; where vectors are scanned they are kept in memory once (2 bytes a value) and read
// again after a commit.
class Collection {
 public:
  // kWrite creates it when missing. `fingerprint` identifies the model (weights + preprocessing); a
  // collection made with another is refused with kInput saying both ("made with mini 3f2a…, asked
  // with vit-b-32 …"). Empty: not checked. Throws kNotFound, kCorrupt (not a collection, damaged),
  // kIo (locked by another writer, read-only medium).
  static Collection open(const std::filesystem::path& dir, OpenMode mode,
                         const std::string& model_name, const std::string& fingerprint, int width);
  ~Collection();
  Collection(Collection&&) noexcept;
  Collection& operator=(Collection&&) = delete;

  // What is known of `uri`; size and mtime equal to the file's mean its content need not be read
  // again.
  std::optional<Item> find_uri(const std::string& uri) const;
  // A row with the same content, so that its vector can be reused (renames, copies).
  std::optional<Item> find_content(const std::string& sha256) const;

  // Inserts or replaces by uri, all of them in one transaction that is on disk when this returns;
  // Item::id is ignored. vectors: (N,width) unit rows. Throws kInput for rows with NaN or infinity.
  void upsert(std::span<const Item> items, const Matrix& vectors);
  // Gives `uri` the vector of existing content (rename or copy) without embedding again.
  void upsert_same_content(const Item& item, std::int64_t same_as_id);
  // Removes the rows whose uri is not in `keep` and is one of `roots` or lies below it. Returns how
  // many.
  std::size_t remove_missing(const std::vector<std::string>& roots,
                             const std::vector<std::string>& keep);

  // Brings the graph up to date: adds what it lacks, or builds it anew where there is none, it is
  // damaged, or a third of it is gone. A few new rows are left to search() to scan. Takes about
  // 0.3 ms a vector and core. Throws kIo.
  GraphReport update_graph(const GraphOptions& options);
  // Measures the graph with `queries` sampled vectors and writes the card. Reads every vector once.
  GraphCard measure_graph(std::size_t queries, std::size_t threads);
  // The card, if one was written.
  std::optional<GraphCard> card() const;

  std::size_t size() const;
  std::string model_name() const;
  std::string fingerprint() const;
  int width() const;

  // Best first; equal scores by id. Fewer than top_k only when fewer rows match. query: (width)
  // unit row. Throws kInput (width, NaN, a bad condition), kCorrupt (a stored vector's checksum is
  // wrong).
  std::vector<Hit> search(std::span<const float> query, const SearchOptions& options) const;

 private:
  struct Rep;
  explicit Collection(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace tandem
