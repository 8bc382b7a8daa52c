// Batches for training, made ahead by worker threads. Batch n is a function of the data, the seed
// and n alone: neither the number of threads nor where a run was interrupted changes it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "preprocess/tokenizer.h"
#include "preprocess/transform.h"
#include "train/config.h"
#include "train/shard_set.h"

namespace tandem {

struct TrainBatch {
  PixelBatch pixels;
  TokenBatch tokens;
  std::vector<std::int64_t> groups;  // (B)
};

class BatchLoader {
 public:
  // Borrows all three. Begins at batch `first`.
  BatchLoader(const ShardSet& data, const Tokenizer& tokenizer, const TrainConfig& config,
              std::int64_t first);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  // The next batch in order. Rethrows what a worker threw.
  TrainBatch next();
  std::int64_t batches_per_epoch() const { return batches_per_epoch_; }

  // Makes batch `n` on this thread.
  TrainBatch make(std::int64_t n);

 private:
  using Order = std::shared_ptr<const std::vector<std::uint32_t>>;
  void work();
  Order order_of(std::int64_t epoch);

  const ShardSet& data_;
  const Tokenizer& tokenizer_;
  const TrainConfig& config_;
  std::int64_t batches_per_epoch_;

  std::mutex order_mutex_;
  std::map<std::int64_t, Order> orders_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::int64_t, TrainBatch> ready_;
  std::int64_t next_made_;
  std::int64_t next_taken_;
  bool stopping_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> workers_;
};

}  // namespace tandem
