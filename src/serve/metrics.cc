#include "serve/metrics.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <vector>

namespace tandem::serve {
namespace {

constexpr std::array kSeconds = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,
                                 0.2,   0.5,   1.0,   2.0,  5.0,  10.0};
constexpr std::array kSizes = {1.0,   2.0,   4.0,   8.0,    16.0,   32.0,  64.0,
                               128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0};

std::string with(std::string_view labels, std::string_view more) {
  if (labels.empty() && more.empty()) return "";
  return fmt::format("{{{}{}{}}}", labels, labels.empty() || more.empty() ? "" : ",", more);
}

}  // namespace

void Histogram::observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  buckets_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

void Histogram::write(std::string& out, std::string_view name, std::string_view labels) const {
  std::uint64_t below = 0;
  for (std::size_t i = 0; i <= bounds_.size(); ++i) {
    below += buckets_[i].load(std::memory_order_relaxed);
    const auto bound = i < bounds_.size() ? fmt::format("le=\"{}\"", bounds_[i]) : "le=\"+Inf\"";
    fmt::format_to(std::back_inserter(out), "{}_bucket{} {}\n", name, with(labels, bound), below);
  }
  fmt::format_to(std::back_inserter(out), "{}_sum{} {}\n{}_count{} {}\n", name, with(labels, ""),
                 sum_.load(std::memory_order_relaxed), name, with(labels, ""), below);
}

struct Metrics::Family {
  std::string help;
  std::string type;
  // Members keep their place: who counts holds a reference.
  std::map<std::string, std::unique_ptr<Counter>> counters;
  std::map<std::string, std::unique_ptr<Histogram>> histograms;
  std::map<std::string, std::unique_ptr<Gauge>> gauges;
  double (*value)(const void*) = nullptr;
  const void* of = nullptr;
};

Metrics::Family& Metrics::family(const std::string& name, const std::string& help,
                                 const std::string& type) {
  auto& place = families_[name];
  if (place == nullptr) {
    place = std::make_shared<Family>();
    place->help = help;
    place->type = type;
  }
  return *place;
}

Counter& Metrics::counter(const std::string& name, const std::string& help,
                          const std::string& labels) {
  const std::lock_guard lock(mutex_);
  auto& member = family(name, help, "counter").counters[labels];
  if (member == nullptr) member = std::make_unique<Counter>();
  return *member;
}

Histogram& Metrics::histogram(const std::string& name, const std::string& help,
                              const std::string& labels, std::span<const double> bounds) {
  const std::lock_guard lock(mutex_);
  auto& member = family(name, help, "histogram").histograms[labels];
  if (member == nullptr) member = std::make_unique<Histogram>(bounds);
  return *member;
}

Histogram& Metrics::seconds(const std::string& name, const std::string& help,
                            const std::string& labels) {
  return histogram(name, help, labels, kSeconds);
}

Histogram& Metrics::sizes(const std::string& name, const std::string& help,
                          const std::string& labels) {
  return histogram(name, help, labels, kSizes);
}

Gauge& Metrics::level(const std::string& name, const std::string& help, const std::string& labels) {
  const std::lock_guard lock(mutex_);
  auto& member = family(name, help, "gauge").gauges[labels];
  if (member == nullptr) member = std::make_unique<Gauge>();
  return *member;
}

void Metrics::gauge(const std::string& name, const std::string& help, double (*value)(const void*),
                    const void* of) {
  const std::lock_guard lock(mutex_);
  auto& found = family(name, help, "gauge");
  found.value = value;
  found.of = of;
}

std::string Metrics::text() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name, family->help,
                   name, family->type);
    for (const auto& [labels, counter] : family->counters) {
      fmt::format_to(std::back_inserter(out), "{}{} {}\n", name, with(labels, ""),
                     counter->value());
    }
    for (const auto& [labels, gauge] : family->gauges) {
      fmt::format_to(std::back_inserter(out), "{}{} {}\n", name, with(labels, ""), gauge->value());
    }
    for (const auto& [labels, histogram] : family->histograms) histogram->write(out, name, labels);
    if (family->value != nullptr) {
      fmt::format_to(std::back_inserter(out), "{} {}\n", name, family->value(family->of));
    }
  }
  return out;
}

}  // namespace tandem::serve
