#include "core/progress.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <utility>

namespace tandem {

Progress::Progress(ProgressOptions options, std::function<void(const std::string&)> line)
    : options_(std::move(options)), line_(std::move(line)), begin_(options_.now()), last_(begin_) {}

void Progress::add(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  done_ += count;
  const auto now = options_.now();
  if (finished_ || now - last_ < options_.interval) return;
  last_ = now;
  if (line_) line_(text(now));
}

void Progress::finish() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(finished_, true)) return;
  if (line_) line_(text(options_.now()));
}

std::string Progress::text(std::chrono::steady_clock::time_point now) const {
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0;
  std::string out = with_thousands(done_);
  if (options_.total) out += "/" + with_thousands(*options_.total);
  if (rate >= 100) {
    out += fmt::format("  {} {}/s", with_thousands(static_cast<std::uint64_t>(std::llround(rate))),
                       options_.unit);
  } else {
    out += fmt::format("  {:.1f} {}/s", rate, options_.unit);
  }
  const auto whole_seconds = [](double s) { return std::chrono::seconds(std::llround(s)); };
  if (finished_) {
    out += "  in " + duration_text(whole_seconds(seconds));
  } else if (options_.total && rate > 0) {
    const std::uint64_t left = *options_.total - std::min(*options_.total, done_);
    out += "  " + duration_text(whole_seconds(static_cast<double>(left) / rate)) + " left";
  }
  return out;
}

std::string with_thousands(std::uint64_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string duration_text(std::chrono::seconds s) {
  const auto total = s.count();
  if (total < 60) return fmt::format("{}s", total);
  if (total < 3600) return fmt::format("{}m{:02}s", total / 60, total % 60);
  return fmt::format("{}h{:02}m", total / 3600, total / 60 % 60);
}

}  // namespace tandem
