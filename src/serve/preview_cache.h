// The latest previews, kept in memory up to a number of bytes. Safe to share between threads.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace tandem::serve {

class PreviewCache {
 public:
  using Bytes = std::shared_ptr<const std::vector<std::byte>>;
  explicit PreviewCache(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  Bytes find(const std::string& key);  // null: not there
  void add(const std::string& key, Bytes bytes);
  std::size_t bytes() const;

 private:
  struct Entry {
    std::string key;
    Bytes bytes;
  };
  std::size_t most_bytes_;
  mutable std::mutex mutex_;
  std::list<Entry> latest_;  // first: used last
  std::unordered_map<std::string, std::list<Entry>::iterator> places_;
  std::size_t bytes_ = 0;
};

}  // namespace tandem::serve
