// Open-addressing map from a pair of ids to a merge: its rank and what it makes. Immutable after
// the last insert; safe to share then.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

namespace tandem {

class PairRanks {
 public:
  struct Merge {
    std::uint32_t rank;
    std::int32_t id;
  };

  explicit PairRanks(std::size_t merges)
      : shift_(64 - std::bit_width(merges * 2 + 1)),
        slots_(std::size_t{1} << (64 - shift_), Slot{kFree, {}}) {}

  // Of equal pairs the last one counts.
  void insert(std::int32_t left, std::int32_t right, Merge merge) {
    slots_[find(key(left, right))] = {key(left, right), merge};
  }

  // Null if the pair does not merge.
  const Merge* merge(std::int32_t left, std::int32_t right) const {
    const Slot& slot = slots_[find(key(left, right))];
    return slot.key == kFree ? nullptr : &slot.merge;
  }

 private:
  struct Slot {
    std::uint64_t key;
    Merge merge;
  };
  static constexpr std::uint64_t kFree = std::numeric_limits<std::uint64_t>::max();

  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
  }

  // Where `key` is, or the free slot where it would go. The table is at most half full.
  std::size_t find(std::uint64_t key) const {
    // Fibonacci hashing: 2^64 / golden ratio, of a key whose halves are mixed.
    std::size_t i = (key ^ key >> 29) * 0x9E3779B97F4A7C15ULL >> shift_;
    while (slots_[i].key != kFree && slots_[i].key != key) i = (i + 1) & (slots_.size() - 1);
    return i;
  }

  int shift_;
  std::vector<Slot> slots_;
};

}  // namespace tandem
