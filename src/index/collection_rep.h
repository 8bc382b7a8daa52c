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

// An advisory lock on DIR/write.lock: one writer at a time. Given up when the process ends, however
// it ends.
class WriterLock {
 public:
  explicit WriterLock(const std::filesystem::path& dir);  // throws kIo
  ~WriterLock();
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  int fd_ = -1;
};

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

// Vectors of some rows as they were at one revision.
struct Snapshot {
  std::int64_t revision = -1;
  std::int64_t after = -1;          // it holds the vectors written after this revision
  std::vector<std::int64_t> ids;    // ascending
  std::vector<std::uint16_t> rows;  // (N,width) halves
};

// Which vector was written when: the ids in the order of their revisions.
struct Revisions {
  std::int64_t revision = -1;
  std::vector<std::int64_t> revisions;  // ascending
  std::vector<std::int64_t> ids;
};

struct CollectionRep {
  explicit CollectionRep(const std::filesystem::path& folder)
      : dir(folder), readers(folder / "items.sqlite") {}

  std::filesystem::path dir;
  CollectionMeta meta;
  std::unique_ptr<WriterLock> lock;  // kWrite only
  std::unique_ptr<Database> writer;  // kWrite only
  std::mutex write_mutex;            // guards the writer
  Readers readers;

  // What searches remember. The mutex is held while something is read anew, so that it is read
  // once; never while a search runs.
  std::mutex mutex;
  std::shared_ptr<const Snapshot> all;
  std::shared_ptr<const Snapshot> recent;  // what the graph lacks
  std::shared_ptr<const Revisions> revisions;
  std::shared_ptr<const Graph> graph;
  std::filesystem::file_time_type graph_time;  // of the file that `graph` is, or that is damaged
  bool graph_seen = false;

  // Below this many rows an exact scan is as fast.
  static constexpr std::size_t kGraphRows = 50'000;
};

struct Collection::Rep : CollectionRep {
  using CollectionRep::CollectionRep;
};

std::filesystem::path graph_path(const CollectionRep& rep);

// The vectors written after revision `after`. Throws kCorrupt where a checksum is wrong.
std::shared_ptr<const Snapshot> read_snapshot(Database& reader, const CollectionRep& rep,
                                              std::int64_t after);

// Copies a stored vector (width halves). Throws kCorrupt where its checksum is wrong.
void copy_vector(const CollectionRep& rep, std::int64_t id, std::span<const std::byte> bytes,
                 std::int64_t checksum, std::uint16_t* into);

}  // namespace tandem
