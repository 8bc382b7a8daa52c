// The training pictures: every sample of some shards by number, mapped or decoded in memory.
// Immutable after construction; safe to share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/rng.h"
#include "data/webdataset.h"
#include "preprocess/image.h"

namespace tandem {

struct ShardSource {
  std::vector<std::string> shards;  // paths, globs, braces
  double weight = 1;  // how often an epoch shows each sample; 2.5: twice or three times
};

struct TrainSample {
  Image image;  // RGBA
  std::vector<std::string> captions;
  std::int64_t group = -1;
  bool mono = false;
};

class ShardSet {
 public:
  // With `cache`, decodes everything now on `threads` threads and leaves out what cannot be read;
  // without, a sample is decoded each time.
  ShardSet(const std::vector<ShardSource>& sources, bool cache, std::size_t threads);

  std::size_t size() const { return places_.size(); }
  // Throws kCorrupt, kInput for a sample that cannot be used (never with cache).
  TrainSample read(std::size_t i) const;

  // Which samples epoch `epoch` shows, in order: each as often as its source's weight says (a
  // fraction by chance), shuffled. A function of seed and epoch only.
  std::vector<std::uint32_t> epoch_order(std::uint64_t seed, std::uint64_t epoch) const;
  // The length of every epoch that training uses: no epoch is shorter.
  std::size_t epoch_size() const { return epoch_size_; }

  const SkipLog& skipped() const { return skipped_; }

 private:
  struct Place {
    std::uint32_t shard;
    std::uint32_t sample;
    float weight;
  };
  TrainSample decode(const Place& place) const;
  void decode_all(std::size_t threads);

  std::vector<MappedFile> files_;
  std::vector<ShardIndex> indexes_;
  std::vector<Place> places_;
  std::vector<TrainSample> cached_;
  std::size_t epoch_size_ = 0;
  SkipLog skipped_;
};

}  // namespace tandem
