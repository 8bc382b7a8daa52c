// Threads that run routes, which may wait: as many as there is work for, up to a limit, and none
// when there is nothing to do for a while.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace tandem::serve {

class Workers {
 public:
  explicit Workers(std::size_t most_threads) : most_(most_threads) {}
  ~Workers();  // finishes what was given
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Runs `work` on some thread, as soon as there is one. It may not throw. False: the system gives
  // no thread, and `work` was dropped.
  bool run(std::function<void()> work);
  std::size_t threads() const;

 private:
  void live();
  void join_ended();

  std::size_t most_;
  mutable std::mutex mutex_;
  std::condition_variable some_;
  std::deque<std::function<void()>> waiting_;
  std::unordered_map<std::thread::id, std::thread> threads_;
  std::vector<std::thread> ended_;  // to be joined
  std::size_t idle_ = 0;
  bool closing_ = false;
};

}  // namespace tandem::serve
