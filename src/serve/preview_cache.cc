#include "serve/preview_cache.h"

namespace tandem::serve {

PreviewCache::Bytes PreviewCache::find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(key);
  if (found == places_.end()) return nullptr;
  latest_.splice(latest_.begin(), latest_, found->second);
  return found->second->bytes;
}

void PreviewCache::add(const std::string& key, Bytes bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes->size() > most_bytes_ || places_.contains(key)) return;
  bytes_ += bytes->size();
  latest_.push_front({key, std::move(bytes)});
  places_[key] = latest_.begin();
  while (bytes_ > most_bytes_) {
    bytes_ -= latest_.back().bytes->size();
    places_.erase(latest_.back().key);
    latest_.pop_back();
  }
}

std::size_t PreviewCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace tandem::serve
