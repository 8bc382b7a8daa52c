#include "train/loader.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace tandem {
namespace {

constexpr std::int64_t kAhead = 4;  // batches kept ready

// The sample at `place` of the order or, where it cannot be read, the first readable one after it.
TrainSample readable_sample(const ShardSet& data, const std::vector<std::uint32_t>& order,
                            std::size_t place) {
  constexpr std::size_t kAttempts = 1000;
  for (std::size_t i = 0;; ++i) {
    try {
      return data.read(order[(place + i) % order.size()]);
    } catch (const Error&) {
      if (i == kAttempts) throw;
    }
  }
}

}  // namespace

BatchLoader::BatchLoader(const ShardSet& data, const Tokenizer& tokenizer,
                         const TrainConfig& config, std::int64_t first)
    : data_(data),
      tokenizer_(tokenizer),
      config_(config),
      batches_per_epoch_(static_cast<std::int64_t>(data.epoch_size()) / config.batch_size),
      next_made_(first),
      next_taken_(first) {
  if (batches_per_epoch_ == 0) {
    throw Error(Kind::kInput, "batch_size: larger than the training data. Use a smaller batch.");
  }
  for (int i = 0; i < std::max(1, config.loader_threads); ++i) {
    workers_.emplace_back([this] { work(); });
  }
}

BatchLoader::~BatchLoader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

TrainBatch BatchLoader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || ready_.contains(next_taken_); });
  if (failure_) std::rethrow_exception(failure_);
  TrainBatch batch = std::move(ready_.extract(next_taken_).mapped());
  ++next_taken_;
  lock.unlock();
  changed_.notify_all();
  return batch;
}

TrainBatch BatchLoader::make(std::int64_t n) {
  const std::int64_t epoch = n / batches_per_epoch_;
  const Order order = order_of(epoch);
  const Rng epoch_rng = Rng(config_.seed + 1).split(epoch);
  const int size_px = config_.model.vision.image_size_px;
  TrainBatch batch;
  batch.pixels.count = config_.batch_size;
  batch.pixels.size_px = size_px;
  const std::size_t bytes = static_cast<std::size_t>(size_px) * size_px * 3;
  batch.pixels.pixels.resize(bytes * config_.batch_size);
  for (int i = 0; i < config_.batch_size; ++i) {
    const std::int64_t place = n % batches_per_epoch_ * config_.batch_size + i;
    const TrainSample sample = readable_sample(data_, *order, place);
    Rng rng = epoch_rng.split(place);
    augment_picture(sample.image, sample.mono, config_.augment, size_px, rng,
                    std::span(batch.pixels.pixels).subspan(bytes * i, bytes));
    batch.tokens.add(tokenizer_.encode(sample_caption(sample.captions, config_.captions, rng)));
    batch.groups.push_back(sample.group);
  }
  return batch;
}

void BatchLoader::work() {
  try {
    while (true) {
      std::int64_t n = 0;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stopping_ || next_made_ < next_taken_ + kAhead; });
        if (stopping_) return;
        n = next_made_++;
      }
      TrainBatch batch = make(n);
      {
        const std::lock_guard lock(mutex_);
        ready_.emplace(n, std::move(batch));
      }
      changed_.notify_all();
    }
  } catch (...) {  // thread edge: next() rethrows
    {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
    }
    changed_.notify_all();
  }
}

BatchLoader::Order BatchLoader::order_of(std::int64_t epoch) {
  const std::lock_guard lock(order_mutex_);
  Order& order = orders_[epoch];
  if (!order) {
    order = std::make_shared<std::vector<std::uint32_t>>(data_.epoch_order(config_.seed, epoch));
    std::erase_if(orders_, [&](const auto& entry) { return entry.first + 1 < epoch; });
  }
  return order;
}

}  // namespace tandem
