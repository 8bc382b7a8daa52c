#include "core/threads.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <charconv>
#include <exception>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <string>
#include <thread>
#include <vector>

namespace tandem {
namespace {

std::size_t affinity_threads() {
  for (int cpus = 1024; cpus <= (1 << 20); cpus *= 4) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(cpus));
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
    CPU_ZERO_S(bytes, set);
    const int count = ::sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return static_cast<std::size_t>(count);
  }
  return std::max(1U, std::thread::hardware_concurrency());
}

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The folder of this process's cgroup (version 2 when `controller` is empty), relative to its
// mount.
std::filesystem::path cgroup_of_self(std::string_view controller) {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // "0::/path" or "4:cpu,cpuacct:/path"
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool ours = controller.empty()
                          ? names == ",,"
                          : names.find("," + std::string(controller) + ",") != std::string::npos;
    if (ours) return std::filesystem::path(line.substr(second + 1)).relative_path();
  }
  return {};
}

// The smallest quota among a cgroup and its parents. `quota_text` reads one folder's as "quota
// period".
template <typename QuotaText>
std::optional<std::size_t> smallest_quota(const std::filesystem::path& mount,
                                          std::filesystem::path below, QuotaText quota_text) {
  std::optional<std::size_t> smallest;
  while (true) {
    if (const auto threads = threads_of_quota(quota_text(mount / below))) {
      smallest = std::min(smallest.value_or(*threads), *threads);
    }
    if (below.empty()) return smallest;
    below = below.parent_path();
  }
}

std::optional<std::size_t> cgroup_threads() {
  const auto v2 = smallest_quota("/sys/fs/cgroup", cgroup_of_self(""),
                                 [](const auto& dir) { return first_line(dir / "cpu.max"); });
  if (v2) return v2;
  return smallest_quota("/sys/fs/cgroup/cpu", cgroup_of_self("cpu"), [](const auto& dir) {
    return first_line(dir / "cpu.cfs_quota_us") + " " + first_line(dir / "cpu.cfs_period_us");
  });
}

}  // namespace

void parallel_for(std::size_t n, std::size_t threads,
                  const std::function<void(std::size_t)>& body) {
  if (threads == 0) threads = available_threads();
  threads = std::min(threads, n);
  if (threads <= 1) {
    for (std::size_t i = 0; i < n; ++i) body(i);
    return;
  }
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    while (true) {
      const std::size_t i = next.fetch_add(1);
      if (i >= n) return;
      try {
        body(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        next.store(n);
      }
    }
  };
  {
    std::vector<std::jthread> workers;
    workers.reserve(threads - 1);
    for (std::size_t t = 1; t < threads; ++t) workers.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

std::size_t available_threads() {
  const std::size_t cores = affinity_threads();
  return std::min(cores, cgroup_threads().value_or(cores));
}

std::optional<std::size_t> threads_of_quota(std::string_view quota_and_period) {
  const auto space = quota_and_period.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto number = [](std::string_view text) {
    std::int64_t value = -1;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  const std::int64_t quota = number(quota_and_period.substr(0, space));  // "max" and -1: no limit
  const std::int64_t period = number(quota_and_period.substr(space + 1));
  if (quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<std::size_t>((quota + period - 1) / period);
}

}  // namespace tandem
