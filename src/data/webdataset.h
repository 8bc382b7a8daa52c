// WebDataset shards: ustar/pax/GNU tar files whose members KEY.EXT with equal KEY, adjacent, form
// one sample.
//   KEY.{png,jpg,jpeg,webp,gif}  picture        KEY.txt  one caption (UTF-8)
//   KEY.json  {"captions":[…]|"caption":…, "phrase":…, "concept":int, "mono":bool, …}
// Member names never become paths; "pipe:" is not a thing here. A truncated shard yields every
// complete sample and one counted error.
#pragma once

#include "data/record.h"

namespace tandem {

// Where each sample of one shard lies, so that samples can be read in any order and a position can
// be saved.
struct ShardIndex {
  struct Member {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };  // size 0: absent
  struct Sample {
    std::string key;
    Member image, text, json;
  };
  std::vector<Sample> samples;
  SkipLog skipped;
};

// Scans the headers of a mapped tar. Never throws for bad content: what is broken is in `skipped`.
ShardIndex index_shard(std::span<const std::byte> tar, const std::string& name);

// Cuts one sample out of the tar it was indexed from. Throws kCorrupt for bad JSON or text.
Record read_sample(std::span<const std::byte> tar, const ShardIndex::Sample& sample);

// Expands "dir/train-{00000..00012}.tar", globs and plain paths to a sorted list. Throws kNotFound
// when none match.
std::vector<std::filesystem::path> expand_shards(const std::vector<std::string>& patterns);

}  // namespace tandem
