// A trie over byte strings, built once, that finds every entry that a text begins with. Immutable
// after construction; safe to share.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem {

class PieceTrie {
 public:
  static constexpr std::int32_t kNone = -1;

  PieceTrie() = default;
  // Entries are (piece, value >= 0), in any order; of equal pieces the last one counts. Empty
  // pieces are left out. n log n in the number of bytes.
  explicit PieceTrie(std::vector<std::pair<std::string_view, std::int32_t>> entries);

  bool empty() const { return nodes_.size() < 2; }

  // A place in the trie. The root is 0.
  using Node = std::uint32_t;
  static constexpr Node kRoot = 0;
  static constexpr Node kNowhere = 0xFFFFFFFF;

  // The child of `node` under `byte`; kNowhere if there is none.
  Node step(Node node, std::uint8_t byte) const {
    const Item& item = nodes_[node];
    if (node == kRoot) return root_[byte];
    // Children are sorted by byte; few have many.
    std::uint32_t low = item.first;
    std::uint32_t high = item.first + item.count;
    while (low < high) {
      const std::uint32_t middle = (low + high) / 2;
      if (nodes_[middle].byte < byte) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low < item.first + item.count && nodes_[low].byte == byte ? low : kNowhere;
  }

  // Value of the entry that ends at `node`; kNone if none does.
  std::int32_t value(Node node) const { return nodes_[node].value; }

  // The longest entry that `text` begins with: its size in bytes and value; size 0 if none.
  std::pair<std::size_t, std::int32_t> longest(std::string_view text) const;

  // Value of exactly this piece; kNone if it is not there.
  std::int32_t find(std::string_view piece) const;

 private:
  struct Item {
    std::uint32_t first = 0;  // of its children
    std::int32_t value = kNone;
    std::uint16_t count = 0;
    std::uint8_t byte = 0;
  };
  std::vector<Item> nodes_;
  std::vector<Node> root_;  // by byte
};

}  // namespace tandem
