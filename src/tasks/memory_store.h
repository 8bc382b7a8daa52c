// A store in memory, for tests: every score is computed, nothing is kept.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tandem/error.h"

#include "index/store.h"

namespace tandem {

class MemoryStore : public Store {
 public:
  explicit MemoryStore(int width) : meta_{"tiny", "f1", width} {}

  StoreMeta meta() const override { return meta_; }
  std::string describe() const override { return "memory"; }
  std::size_t size() const override { return rows_.size(); }
  void each_known(const std::function<void(const KnownItem&)>& row) const override {
    for (const auto& [id, one] : rows_) {
      row({id, one.item.uri, one.item.sha256, one.item.size_bytes, one.item.mtime_ns,
           one.item.caption, one.item.metadata_json});
    }
  }
  void upsert(std::span<const Item> items, const Matrix& vectors) override {
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto row = vectors.row(i);
      Row one{items[i], {row.begin(), row.end()}};
      one.item.id = ++last_id_;
      rows_[one.item.id] = std::move(one);
    }
  }
  std::size_t remove(std::span<const std::int64_t> ids) override {
    std::size_t count = 0;
    for (const auto id : ids) count += rows_.erase(id);
    return count;
  }
  std::vector<Hit> search(std::span<const float> query,
                          const SearchOptions& options) const override {
    ++searches;
    most_asked = std::max(most_asked, options.top_k);
    std::vector<Hit> hits;
    for (const auto& [id, one] : rows_) {
      if (options.filter && !matches(*options.filter, one.item)) continue;
      float score = 0;
      for (std::size_t i = 0; i < query.size(); ++i) score += query[i] * one.vector[i];
      hits.push_back({id, score, one.item.uri, one.item.caption});
    }
    std::stable_sort(hits.begin(), hits.end(),
                     [](const Hit& a, const Hit& b) { return a.score > b.score; });
    if (hits.size() > options.top_k) hits.resize(options.top_k);
    return hits;
  }
  std::vector<Item> items(std::span<const std::int64_t> ids) const override {
    std::vector<Item> found;
    for (const auto id : ids) {
      if (const auto row = rows_.find(id); row != rows_.end()) found.push_back(row->second.item);
    }
    return found;
  }
  Matrix vectors(std::span<const std::int64_t> ids) const override {
    Matrix found(ids.size(), static_cast<std::size_t>(meta_.width));
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto row = rows_.find(ids[i]);
      if (row == rows_.end()) throw Error(Kind::kNotFound, "no such item");
      std::copy(row->second.vector.begin(), row->second.vector.end(), found.row(i).begin());
    }
    return found;
  }
  std::vector<std::int64_t> list(const std::optional<ItemFilter>& filter, std::size_t offset,
                                 std::size_t limit) const override {
    std::vector<std::int64_t> ids;
    for (const auto& [id, one] : rows_) {
      if (!filter || matches(*filter, one.item)) ids.push_back(id);
    }
    std::stable_sort(ids.begin(), ids.end(), [&](std::int64_t a, std::int64_t b) {
      return rows_.at(a).item.mtime_ns > rows_.at(b).item.mtime_ns;
    });
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(std::min(offset, ids.size())));
    if (ids.size() > limit) ids.resize(limit);
    return ids;
  }
  std::vector<std::int64_t> sample(std::size_t count) const override {
    std::vector<std::int64_t> ids;
    const std::size_t step = rows_.size() / std::max<std::size_t>(count, 1) + 1;
    std::size_t at = 0;
    for (const auto& [id, one] : rows_) {
      if (at++ % step == 0) ids.push_back(id);
    }
    return ids;
  }
  std::optional<std::string> note(const std::string& name) const override {
    const auto found = notes_.find(name);
    return found == notes_.end() ? std::nullopt : std::optional(found->second);
  }
  void set_note(const std::string& name, const std::string& text) override { notes_[name] = text; }

  void set_fingerprint(std::string fingerprint) { meta_.fingerprint = std::move(fingerprint); }

  // What was asked of it.
  mutable std::size_t searches = 0;
  mutable std::size_t most_asked = 0;

 private:
  struct Row {
    Item item;
    std::vector<float> vector;
  };
  StoreMeta meta_;
  std::map<std::int64_t, Row> rows_;
  std::map<std::string, std::string> notes_;
  std::int64_t last_id_ = 0;
};

}  // namespace tandem
