// Rows on their way into a store, written by a thread of its own while the next ones are computed.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "cli/captions.h"
#include "cli/index_plan.h"
#include "core/threads.h"
#include "index/store.h"

namespace tandem::cli {

struct IndexCounts {
  std::uint64_t added = 0;      // new or changed content, computed
  std::uint64_t moved = 0;      // a row found under another path: same id
  std::uint64_t reused = 0;     // a copy of known content, not computed
  std::uint64_t updated = 0;    // same file and content, another date or caption
  std::uint64_t unchanged = 0;  // not even read
  std::uint64_t removed = 0;
};

// What is known of a picture whose content the store has.
struct KnownContent {
  FoundFile file;
  std::string sha256;
  ItemTexts texts;
  PictureFacts facts;
  std::int64_t id = 0;   // its own row, if there is one
  std::size_t task = 0;  // for the list of those that must be computed after all
};

// add() and add_known() are for one thread; what they take is stored in that order. A failure of
// the store comes out of the next call.
class IndexWriter {
 public:
  IndexWriter(Store& store, const IndexPlan& plan, const CaptionSources& captions);
  ~IndexWriter();
  IndexWriter(const IndexWriter&) = delete;
  IndexWriter& operator=(const IndexWriter&) = delete;

  // Whether the store has this content, or has got it meanwhile. From any thread.
  bool knows(const std::string& sha256) const;
  void add(Item item, std::span<const float> vector);
  void add_known(KnownContent content);
  // Waits until everything is stored. Nothing may be added behind it.
  void finish();

  // After finish():
  const IndexCounts& counts() const { return counts_; }
  // Tasks whose known content a fresh plan must find: it was added by this run, or replaced before
  // it could be used.
  const std::vector<std::size_t>& left_over() const { return left_over_; }
  // Whether a vanished row has become another file's.
  bool claimed(std::int64_t id) const { return claimed_.contains(id); }

 private:
  // Rows and work lost at most when the process is killed; each commit costs an fsync.
  static constexpr std::size_t kCommitRows = 256;
  static constexpr std::chrono::seconds kCommitTime{5};

  struct Batch {
    std::vector<Item> items;
    std::vector<float> vectors;
    std::vector<KnownContent> known;
  };
  void submit_when_due();
  void submit();
  void run();
  void store_new(Batch& batch);
  void store_known(std::vector<KnownContent>& known);
  enum class Source { kNone, kMove, kCopy };
  Source source_of(const KnownContent& content, Item& source);
  bool gone(const Item& row, const std::string& new_uri) const;

  Store& store_;
  const IndexPlan& plan_;
  const CaptionSources& captions_;
  Batch batch_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  BoundedQueue<Batch> queue_;
  mutable std::mutex mutex_;
  std::unordered_set<std::string> stored_;  // content added by this run; guarded by the mutex
  std::exception_ptr failure_;              // guarded by the mutex
  std::unordered_set<std::int64_t> claimed_;
  std::vector<std::size_t> left_over_;
  IndexCounts counts_;
  std::thread thread_;
};

}  // namespace tandem::cli
