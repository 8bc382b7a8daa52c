#include "preprocess/piece_trie.h"

#include <algorithm>

namespace tandem {

PieceTrie::PieceTrie(std::vector<std::pair<std::string_view, std::int32_t>> entries) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  // Breadth first: the entries [begin, end) share their first `depth` bytes, which lead to `node`.
  struct Range {
    std::uint32_t begin;
    std::uint32_t end;
    std::uint32_t depth;
    Node node;
  };
  nodes_.push_back({});
  std::vector<Range> ranges{{0, static_cast<std::uint32_t>(entries.size()), 0, kRoot}};
  for (std::size_t next = 0; next < ranges.size(); ++next) {
    const Range range = ranges[next];
    std::uint32_t i = range.begin;
    while (i < range.end && entries[i].first.size() == range.depth) {
      if (range.depth > 0) nodes_[range.node].value = entries[i].second;
      ++i;
    }
    nodes_[range.node].first = static_cast<std::uint32_t>(nodes_.size());
    while (i < range.end) {
      const char byte = entries[i].first[range.depth];
      std::uint32_t end = i;
      while (end < range.end && entries[end].first[range.depth] == byte) ++end;
      ++nodes_[range.node].count;
      const auto child = static_cast<Node>(nodes_.size());
      nodes_.push_back({0, kNone, 0, static_cast<std::uint8_t>(byte)});
      ranges.push_back({i, end, range.depth + 1, child});
      i = end;
    }
  }
  root_.assign(256, kNowhere);
  for (Node i = nodes_[0].first; i < nodes_[0].first + nodes_[0].count; ++i) {
    root_[nodes_[i].byte] = i;
  }
}

std::pair<std::size_t, std::int32_t> PieceTrie::longest(std::string_view text) const {
  std::pair<std::size_t, std::int32_t> found{0, kNone};
  if (empty()) return found;
  Node node = kRoot;
  for (std::size_t i = 0; i < text.size(); ++i) {
    node = step(node, static_cast<std::uint8_t>(text[i]));
    if (node == kNowhere) break;
    if (value(node) != kNone) found = {i + 1, value(node)};
  }
  return found;
}

std::int32_t PieceTrie::find(std::string_view piece) const {
  if (empty()) return kNone;
  Node node = kRoot;
  for (const char c : piece) {
    node = step(node, static_cast<std::uint8_t>(c));
    if (node == kNowhere) return kNone;
  }
  return value(node);
}

}  // namespace tandem
