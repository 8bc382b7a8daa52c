// A few threads that live as long as the team and run the same job together, each with its number.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tandem {

class Team {
 public:
  // `size` members; the first is whoever calls run().
  explicit Team(int size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // Calls job(0) … job(size-1) at the same time and returns when all are done. Rethrows the first
  // exception. Not reentrant.
  void run(const std::function<void(int)>& job);

 private:
  void work(int number);
  void do_job(int number);

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void(int)>* job_ = nullptr;
  std::uint64_t round_ = 0;
  int busy_ = 0;
  bool stopping_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

}  // namespace tandem
