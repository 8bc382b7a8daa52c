// Progress of long work: counts, rate and ETA, to a sink of text lines. Thread-safe.
//   12,800/50,000  410 img/s  1m31s left
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace tandem {

struct ProgressOptions {
  std::string unit = "items";                  // "img", "texts"
  std::optional<std::uint64_t> total;          // unknown: no ETA
  std::chrono::milliseconds interval{10'000};  // 100 ms on a terminal
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
};

class Progress {
 public:
  // `line` is called at most once per interval and once by finish().
  Progress(ProgressOptions options, std::function<void(const std::string&)> line);
  void add(std::uint64_t count = 1);
  void finish();

 private:
  std::string text(std::chrono::steady_clock::time_point now) const;
  ProgressOptions options_;
  std::function<void(const std::string&)> line_;
  std::mutex mutex_;
  std::uint64_t done_ = 0;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point last_;
  bool finished_ = false;
};

std::string with_thousands(std::uint64_t n);        // 12800 -> "12,800"
std::string duration_text(std::chrono::seconds s);  // 91 -> "1m31s"

}  // namespace tandem
