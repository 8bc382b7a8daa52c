#include "serve/workers.h"

#include <chrono>
#include <system_error>

namespace tandem::serve {
namespace {

constexpr std::chrono::seconds kIdle{10};

}  // namespace

Workers::~Workers() {
  std::unique_lock lock(mutex_);
  closing_ = true;
  some_.notify_all();
  some_.wait(lock, [&] { return threads_.empty(); });
  join_ended();
}

bool Workers::run(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  join_ended();
  waiting_.push_back(std::move(work));
  if (waiting_.size() <= idle_) {
    some_.notify_one();
  } else if (threads_.size() < most_) {
    try {
      std::thread thread([this] { live(); });
      const auto id = thread.get_id();
      threads_.emplace(id, std::move(thread));
    } catch (const std::system_error&) {
      // One of those that work will come to it.
      if (!threads_.empty()) return true;
      waiting_.pop_back();
      return false;
    }
  }
  return true;
}

std::size_t Workers::threads() const {
  const std::lock_guard lock(mutex_);
  return threads_.size();
}

void Workers::live() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    const bool some = some_.wait_for(lock, kIdle, [&] { return !waiting_.empty() || closing_; });
    --idle_;
    if (waiting_.empty() && (closing_ || !some)) break;
    if (waiting_.empty()) continue;
    auto work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    work = nullptr;  // what it holds ends outside of the lock
    lock.lock();
  }
  const auto self = threads_.find(std::this_thread::get_id());
  ended_.push_back(std::move(self->second));
  threads_.erase(self);
  if (closing_) some_.notify_all();
}

// Those that ended have left the lock by now, or are about to.
void Workers::join_ended() {
  for (auto& thread : ended_) thread.join();
  ended_.clear();
}

}  // namespace tandem::serve
