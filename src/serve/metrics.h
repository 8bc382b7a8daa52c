// Counters and histograms as Prometheus reads them (text format 0.0.4). Lock-free to count.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

namespace tandem::serve {

class Counter {
 public:
  void add(std::uint64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds) : bounds_(bounds) {}
  void observe(double value);
  void write(std::string& out, std::string_view name, std::string_view labels) const;

 private:
  static constexpr std::size_t kMostBounds = 20;
  std::span<const double> bounds_;  // ascending, static; the last bucket has no bound
  std::array<std::atomic<std::uint64_t>, kMostBounds + 1> buckets_{};
  std::atomic<double> sum_{0};
};

// A number that goes up and down.
class Gauge {
 public:
  void add(std::int64_t by) { value_.fetch_add(by, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Families by name, members by their labels ("route=\"/v1/search\",status=\"200\""). Names and
// labels come from our own tables, never from requests.
class Metrics {
 public:
  Counter& counter(const std::string& name, const std::string& help,
                   const std::string& labels = "");
  // Seconds from 1 ms to 10 s, or sizes 1 to 4096.
  Histogram& seconds(const std::string& name, const std::string& help,
                     const std::string& labels = "");
  Histogram& sizes(const std::string& name, const std::string& help,
                   const std::string& labels = "");
  Gauge& level(const std::string& name, const std::string& help, const std::string& labels = "");
  // Asked for when the text is made: `of` outlives this.
  void gauge(const std::string& name, const std::string& help, double (*value)(const void*),
             const void* of);
  std::string text() const;

 private:
  struct Family;
  Family& family(const std::string& name, const std::string& help, const std::string& type);
  Histogram& histogram(const std::string& name, const std::string& help, const std::string& labels,
                       std::span<const double> bounds);
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Family>> families_;
};

}  // namespace tandem::serve
