#include "engine/cpu/buffers.h"

#include <cstdlib>
#include <new>
#include <sys/mman.h>
#include <utility>

namespace tandem {
namespace {

constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

std::size_t round_up(std::size_t n, std::size_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

}  // namespace

void AlignedBytes::Free::operator()(void* p) const { std::free(p); }

AlignedBytes::AlignedBytes(std::size_t size_bytes) : size_bytes_(size_bytes) {
  const bool huge = size_bytes >= kHugePageBytes;
  const std::size_t alignment = huge ? kHugePageBytes : 64;
  const std::size_t whole = round_up(size_bytes == 0 ? 1 : size_bytes, huge ? 4096 : 64);
  void* p = nullptr;
  if (posix_memalign(&p, alignment, whole) != 0) throw std::bad_alloc();
  if (huge)
    madvise(p, whole, MADV_HUGEPAGE);  // a hint: fewer address translations while weights stream by
  data_.reset(p);
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  give_back();
  pool_ = std::exchange(other.pool_, nullptr);
  bytes_ = std::move(other.bytes_);
  return *this;
}

void Buffer::give_back() {
  if (pool_ != nullptr) pool_->free_.push_back(std::move(bytes_));
  pool_ = nullptr;
}

Buffer BufferPool::take(std::size_t size_bytes) {
  std::size_t best = free_.size();
  for (std::size_t i = 0; i < free_.size(); ++i) {
    if (free_[i].size_bytes() < size_bytes) continue;
    if (best == free_.size() || free_[i].size_bytes() < free_[best].size_bytes()) best = i;
  }
  if (best == free_.size()) {
    ++allocations_;
    free_.reserve(allocations_);  // so that giving back never allocates
    return Buffer(this, AlignedBytes(size_bytes));
  }
  AlignedBytes bytes = std::move(free_[best]);
  free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(best));
  return Buffer(this, std::move(bytes));
}

}  // namespace tandem
