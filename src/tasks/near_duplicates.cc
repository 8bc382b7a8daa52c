// Near-duplicates of a whole store.
#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "core/tensor.h"
#include "core/threads.h"
#include "index/distance.h"
#include "tasks/finder.h"

namespace tandem {
namespace {

using Groups = std::vector<std::vector<std::int64_t>>;

constexpr std::size_t kExactRows = 50'000;  // SearchOptions::graph_rows: below, a search is a scan
constexpr std::size_t kPiece = 4'096;       // vectors read at once
constexpr std::size_t kHeads = 64;          // compared together: one bit each
constexpr std::size_t kChunk = 256;         // rows that stay in the cache meanwhile
constexpr std::size_t kNeighbours = 32;     // asked for first

std::vector<std::int64_t> all_ids(const Store& store) {
  std::vector<std::int64_t> ids;
  store.each_known([&](const KnownItem& item) { ids.push_back(item.id); });
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<std::uint16_t> all_vectors(const Store& store, std::span<const std::int64_t> ids) {
  std::vector<std::uint16_t> rows;
  for (std::size_t at = 0; at < ids.size(); at += kPiece) {
    const auto piece = store.vectors(ids.subspan(at, std::min(kPiece, ids.size() - at)));
    for (const float value : piece.values) rows.push_back(float_to_half(value));
  }
  return rows;
}

// near[j - begin]: bit h says that row j is near to row begin + h.
std::vector<std::uint64_t> near_heads(std::span<const std::uint16_t> rows, std::size_t width,
                                      std::size_t begin, float above) {
  const std::size_t count = rows.size() / width - begin;
  const std::size_t heads = std::min(kHeads, count);
  std::vector<std::vector<float>> queries(heads, std::vector<float>(width));
  for (std::size_t h = 0; h < heads; ++h) {
    for (std::size_t i = 0; i < width; ++i)
      queries[h][i] = half_to_float(rows[(begin + h) * width + i]);
  }
  std::vector<std::uint64_t> near(count);
  parallel_for((count + kChunk - 1) / kChunk, 0, [&](std::size_t chunk) {
    const std::size_t from = chunk * kChunk;
    const std::size_t size = std::min(kChunk, count - from);
    std::vector<float> scores(size);
    for (std::size_t h = 0; h < heads; ++h) {
      dot_rows(queries[h], rows.subspan((begin + from) * width, size * width), scores);
      for (std::size_t j = 0; j < size; ++j)
        near[from + j] |= static_cast<std::uint64_t>(scores[j] >= above) << h;
    }
  });
  return near;
}

Groups by_pairs(const Store& store, const std::vector<std::int64_t>& ids, float above) {
  const auto width = static_cast<std::size_t>(store.meta().width);
  const auto rows = all_vectors(store, ids);
  std::vector<bool> taken(ids.size());
  Groups groups;
  for (std::size_t begin = 0; begin < ids.size(); begin += kHeads) {
    const auto near = near_heads(rows, width, begin, above);
    for (std::size_t h = 0; h < std::min(kHeads, ids.size() - begin); ++h) {
      if (taken[begin + h]) continue;
      std::vector<std::int64_t> group{ids[begin + h]};
      for (std::size_t j = h + 1; j < near.size(); ++j) {
        if (taken[begin + j] || (near[j] >> h & 1) == 0) continue;
        taken[begin + j] = true;
        group.push_back(ids[begin + j]);
      }
      if (group.size() > 1) groups.push_back(std::move(group));
    }
  }
  return groups;
}

// The neighbours of one item that are near enough, itself left out.
std::vector<Hit> neighbours(const Store& store, std::span<const float> vector, float above) {
  for (std::size_t count = kNeighbours;; count = kMostRows) {
    auto hits = store.search(vector, {.top_k = count});
    const bool all = hits.size() < count || count == kMostRows;
    const auto end =
        std::find_if(hits.begin(), hits.end(), [&](const Hit& hit) { return hit.score < above; });
    if (end == hits.end() && !all) continue;
    hits.erase(end, hits.end());
    return hits;
  }
}

Groups by_search(const Store& store, const std::vector<std::int64_t>& ids, float above) {
  std::unordered_map<std::int64_t, bool> taken;
  Groups groups;
  for (std::size_t at = 0; at < ids.size(); at += kPiece) {
    const auto piece = std::span(ids).subspan(at, std::min(kPiece, ids.size() - at));
    const auto vectors = store.vectors(piece);
    for (std::size_t i = 0; i < piece.size(); ++i) {
      if (taken[piece[i]]) continue;
      taken[piece[i]] = true;
      std::vector<std::int64_t> group{piece[i]};
      for (const auto& hit : neighbours(store, vectors.row(i), above)) {
        if (!std::exchange(taken[hit.id], true)) group.push_back(hit.id);
      }
      std::sort(group.begin(), group.end());
      if (group.size() > 1) groups.push_back(std::move(group));
    }
  }
  return groups;
}

}  // namespace

Groups near_duplicates(const Store& store, float above) {
  const auto ids = all_ids(store);
  auto groups =
      ids.size() <= kExactRows ? by_pairs(store, ids, above) : by_search(store, ids, above);
  std::stable_sort(groups.begin(), groups.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return groups;
}

}  // namespace tandem
