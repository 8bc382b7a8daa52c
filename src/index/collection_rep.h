// What a Collection holds, for the files that implement it.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#include "index/collection.h"
#include "index/graph.h"
#include "index/schema.h"
#include "index/sqlite.h"

namespace tandem {

// Connections for reading, so that searches overlap. Thread-safe.
class Readers {
 public:
  explicit Readers(std::filesystem::path file) : file_(std::move(file)) {}

  // A connection, one's own until the lease ends.
  class Lease {
   public:
    Lease(Readers& all, std::unique_ptr<Database> database)
        : all_(all), database_(std::move(database)) {}
    ~Lease() {
      if (database_->keeps_writers_out()) return;
      const std::lock_guard lock(all_.mutex_);
      all_.idle_.push_back(std::move(database_));
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Database& operator*() const { return *database_; }
    Database* operator->() const { return database_.get(); }

   private:
    Readers& all_;
    std::unique_ptr<Database> database_;
  };
  Lease lease();

 private:
  std::filesystem::path file_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Database>> idle_;
};

// Vectors as they were at one revision.
struct Snapshot {
  std::int64_t revision = -1;
  std::int64_t after = -1;              // it holds the vectors written after this revision
  std::vector<std::int64_t> ids;        // ascending
  std::vector<std::int64_t> revisions;  // when each was written
  std::vector<std::uint16_t> rows;      // (N,width) halves
};

// Whose vector a revision was: of those that a graph holds, as they were when this was read. What
// is removed or replaced later stays in it.
struct Revisions {
  std::shared_ptr<const Graph> graph;
  std::vector<std::int64_t> revisions;  // ascending
  std::vector<std::int64_t> ids;
};

// The answer to a condition at one revision.
struct KnownMatches {
  std::string condition;
  std::int64_t revision = -1;
  std::shared_ptr<const std::vector<std::int64_t>> ids;
};

struct CollectionRep {
  explicit CollectionRep(const std::filesystem::path& folder)
      : dir(folder), readers(folder / "items.sqlite") {}

  std::filesystem::path dir;
  std::unique_ptr<FolderLock> lock;  // kWrite only
  std::unique_ptr<Database> writer;  // kWrite only
  std::mutex write_mutex;            // guards the writer
  Readers readers;

  // The model that this was opened for, or that switch_to_next() made it.
  StoreMeta meta() const {
    const std::lock_guard guard(meta_mutex);
    return meta_;
  }
  void set_meta(StoreMeta meta) {
    const std::lock_guard guard(meta_mutex);
    meta_ = std::move(meta);
  }

  // What searches remember. The mutex is held while something is read anew, so that it is read
  // once; never while a search runs.
  std::mutex mutex;
  std::shared_ptr<const Snapshot> all;
  std::shared_ptr<const Snapshot> recent;  // what the graph lacks
  std::shared_ptr<const Revisions> revisions;
  std::vector<KnownMatches> matches;  // the latest last
  std::shared_ptr<const Graph> graph;
  std::filesystem::file_time_type graph_time;  // of the file that `graph` is, or that is damaged
  bool graph_seen = false;

 private:
  mutable std::mutex meta_mutex;
  StoreMeta meta_;
};

struct Collection::Rep : CollectionRep {
  using CollectionRep::CollectionRep;
};

std::filesystem::path graph_path(const CollectionRep& rep);

// The key of a note in meta. Throws kInternal for a name that is not [a-z_]+.
std::string note_key(const std::string& name);

// The writer. Throws kInternal where there is none.
Database& writable(CollectionRep& rep);

// The vectors written after revision `after`, at the revision of the reader's transaction. What
// `before` (of the same `after`, or null) holds already is taken from there. Throws kCorrupt where
// a checksum is wrong.
std::shared_ptr<const Snapshot> read_snapshot(Database& reader, std::int64_t revision,
                                              std::int64_t after, std::size_t width,
                                              const Snapshot* before);

// Copies a stored vector into as many halves. Throws kCorrupt where its length or checksum is
// wrong.
void copy_vector(const Database& reader, std::int64_t id, std::span<const std::byte> bytes,
                 std::int64_t checksum, std::span<std::uint16_t> into);

// A row as halves. Throws kInput for NaN and infinity, naming `whose`.
std::vector<std::uint16_t> to_halves(std::span<const float> row, const std::string& whose);

}  // namespace tandem
