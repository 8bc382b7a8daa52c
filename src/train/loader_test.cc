#include "train/loader.h"

#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "train/test_shard.h"

namespace tandem {
namespace {

// One id a character: enough to see which caption was taken.
class Letters : public Tokenizer {
 public:
  std::vector<std::int32_t> encode(std::string_view text) const override {
    return {text.begin(), text.end()};
  }
  int context_length() const override { return 77; }
  int vocab_size() const override { return 256; }
};

class Loader : public testing::Test {
 protected:
  Loader()
      : path_(std::filesystem::temp_directory_path() / fmt::format("loader-{}.tar", ::getpid())) {
    write_test_shard(path_, 20);
    config_.train = {{{path_.string()}, 1.0}};
    config_.model.vision.image_size_px = 16;
    config_.batch_size = 6;
    config_.augment = {.min_scale = 0.7, .shift = 0.1, .recolour = 0.5, .ground_tint = 0.5};
    config_.seed = 3;
  }
  ~Loader() override { std::filesystem::remove(path_); }

  // The first `count` batches from batch `first` on, as one string of everything in them.
  std::string batches(int loader_threads, int first, int count, bool cache = true) {
    config_.loader_threads = loader_threads;
    const ShardSet data(config_.train, cache, 1);
    BatchLoader loader(data, letters_, config_, first);
    std::string all;
    for (int n = 0; n < count; ++n) {
      const TrainBatch batch = loader.next();
      all.append(batch.pixels.pixels.begin(), batch.pixels.pixels.end());
      for (const auto id : batch.tokens.ids) all += static_cast<char>(id);
      for (const auto group : batch.groups) all += fmt::format(" {}", group);
    }
    return all;
  }

  std::filesystem::path path_;
  TrainConfig config_;
  Letters letters_;
};

TEST_F(Loader, BatchesDoNotDependOnThreadsOrCache) {
  const std::string one = batches(1, 0, 8);
  EXPECT_EQ(batches(3, 0, 8), one);
  EXPECT_EQ(batches(2, 0, 8, /*cache=*/false), one);
}

TEST_F(Loader, BeginningLaterGivesTheSameBatches) {
  EXPECT_EQ(batches(1, 0, 3) + batches(2, 3, 5), batches(1, 0, 8));
}

TEST_F(Loader, AnEpochShowsNoSampleTwiceAndTheNextIsInAnotherOrder) {
  const ShardSet data(config_.train, true, 1);
  auto first = data.epoch_order(3, 0);
  EXPECT_NE(first, data.epoch_order(3, 1));
  EXPECT_NE(first, data.epoch_order(4, 0));
  std::sort(first.begin(), first.end());
  EXPECT_EQ(std::adjacent_find(first.begin(), first.end()), first.end());
}

TEST_F(Loader, WeightsRepeatSamples) {
  config_.train[0].weight = 2.5;
  const ShardSet data(config_.train, true, 1);
  std::vector<int> times(20);
  for (const auto i : data.epoch_order(3, 0)) ++times[i];
  for (const int n : times) EXPECT_LE(n, 3);
  EXPECT_GE(std::count_if(times.begin(), times.end(), [](int n) { return n >= 2; }), 14);
}

TEST_F(Loader, ABatchLargerThanTheDataIsRefused) {
  config_.batch_size = 21;
  EXPECT_THROW(batches(1, 0, 1), Error);
}

}  // namespace
}  // namespace tandem
