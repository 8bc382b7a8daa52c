// Worker threads with an explicit count, and a bounded queue. No global pool.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>

namespace tandem {

// Calls body(i) for i in [0,n) on up to `threads` threads (this one included), in no particular
// order. The first exception stops the rest and is rethrown here. threads = 0 means one per core
// available to the process.
void parallel_for(std::size_t n, std::size_t threads, const std::function<void(std::size_t)>& body);

std::size_t
available_threads();  // cores this process may run on (affinity and cgroup quota), at least 1

// Threads that a cgroup's "quota period" (microseconds; cpu.max) allows, rounded up; nothing when
// unlimited.
std::optional<std::size_t> threads_of_quota(std::string_view quota_and_period);

// A bounded queue between threads. close() wakes everyone: push returns false, pop drains then
// returns nothing.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  bool push(T value) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return closed_ || items_.size() < capacity_; });
    if (closed_) return false;
    items_.push_back(std::move(value));
    lock.unlock();
    some_.notify_one();
    return true;
  }

  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    some_.wait(lock, [&] { return closed_ || !items_.empty(); });
    if (items_.empty()) return std::nullopt;
    T value = std::move(items_.front());
    items_.pop_front();
    lock.unlock();
    room_.notify_one();
    return value;
  }

  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    some_.notify_all();
    room_.notify_all();
  }

 private:
  std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable some_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace tandem
