#include "data/record.h"

#include <algorithm>
#include <utility>

#include "core/progress.h"

namespace tandem {
namespace {

constexpr std::size_t kExamples = 5;

}  // namespace

void SkipLog::add(std::string_view reason, std::string_view example) {
  auto found = reasons_.find(reason);
  if (found == reasons_.end()) found = reasons_.emplace(reason, Entry{}).first;
  ++found->second.count;
  if (found->second.examples.size() < kExamples) found->second.examples.emplace_back(example);
}

std::uint64_t SkipLog::total() const {
  std::uint64_t sum = 0;
  for (const auto& [reason, entry] : reasons_) sum += entry.count;
  return sum;
}

std::string SkipLog::summary(std::uint64_t seen) const {
  if (reasons_.empty()) return "";
  std::vector<std::pair<std::uint64_t, std::string_view>> parts;
  parts.reserve(reasons_.size());
  for (const auto& [reason, entry] : reasons_) parts.emplace_back(entry.count, reason);
  std::stable_sort(parts.begin(), parts.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text = "skipped " + with_thousands(total()) + " of " + with_thousands(seen) + " (";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += ", ";
    text.append(with_thousands(parts[i].first)).append(" ").append(parts[i].second);
  }
  return text + ")";
}

}  // namespace tandem
