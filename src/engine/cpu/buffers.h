// Aligned memory for weights, and a pool of buffers for activations: after the first passes of a
// given size, running a model allocates nothing. A pool is used by one thread at a time and
// outlives its buffers.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace tandem {

// Uninitialised memory on a 64-byte boundary; large blocks ask the system for huge pages.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(std::size_t size_bytes);
  void* data() const { return data_.get(); }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_.get());
  }
  std::size_t size_bytes() const { return size_bytes_; }

 private:
  struct Free {
    void operator()(void* p) const;
  };
  std::unique_ptr<void, Free> data_;
  std::size_t size_bytes_ = 0;
};

class BufferPool;

// A buffer on loan: goes back to its pool when destroyed.
class Buffer {
 public:
  Buffer() = default;
  Buffer(BufferPool* pool, AlignedBytes bytes) : pool_(pool), bytes_(std::move(bytes)) {}
  Buffer(Buffer&& other) noexcept : pool_(other.pool_), bytes_(std::move(other.bytes_)) {
    other.pool_ = nullptr;
  }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { give_back(); }
  void* data() const { return bytes_.data(); }

 private:
  void give_back();
  BufferPool* pool_ = nullptr;
  AlignedBytes bytes_;
};

class BufferPool {
 public:
  // The smallest free buffer of at least `size_bytes`, or a new one. Contents are undefined.
  Buffer take(std::size_t size_bytes);
  std::size_t allocations() const { return allocations_; }  // since construction

 private:
  friend class Buffer;
  std::vector<AlignedBytes> free_;
  std::size_t allocations_ = 0;
};

}  // namespace tandem
