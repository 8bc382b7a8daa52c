#include "model/token_merge.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tandem {
namespace {

std::vector<float> unit_rows(std::span<const float> keys, int length, int width) {
  std::vector<float> out(keys.begin(), keys.end());
  for (int r = 0; r < length; ++r) {
    float* row = out.data() + static_cast<std::size_t>(r) * width;
    const float squares = std::inner_product(row, row + width, row, 0.0F);
    const float scale = squares > 0 ? 1.0F / std::sqrt(squares) : 0.0F;
    std::for_each(row, row + width, [&](float& x) { x *= scale; });
  }
  return out;
}

struct Match {
  float similarity;
  std::int32_t from;
  std::int32_t to;
};

Match best_match(const std::vector<float>& keys, int length, int width, int from) {
  Match best{-2.0F, from, 1};
  const float* a = keys.data() + static_cast<std::size_t>(from) * width;
  for (int to = 1; to < length; to += 2) {
    const float* b = keys.data() + static_cast<std::size_t>(to) * width;
    float sum = 0;
    for (int c = 0; c < width; ++c) sum += a[c] * b[c];
    if (sum > best.similarity) best = {sum, from, to};
  }
  return best;
}

}  // namespace

bool merges_tokens(const VisionConfig& vision) {
  return vision.family == VisionFamily::kVit && vision.pool == VisionConfig::Pool::kToken &&
         !vision.output_tokens && vision.attention_pool == VisionConfig::AttentionPool::kNone;
}

int mergeable(int length, int wanted) { return std::clamp(wanted, 0, (length - 1) / 2); }

MergePlan plan_merge(std::span<const float> keys, int length, int width, int count) {
  const std::vector<float> unit = unit_rows(keys, length, width);
  std::vector<Match> matches;
  for (int from = 2; from < length; from += 2)
    matches.push_back(best_match(unit, length, width, from));
  std::stable_sort(matches.begin(), matches.end(),
                   [](const Match& a, const Match& b) { return a.similarity > b.similarity; });
  MergePlan plan;
  std::vector<bool> gone(length);
  for (int i = 0; i < std::min<int>(count, static_cast<int>(matches.size())); ++i) {
    plan.merged.push_back({matches[i].from, matches[i].to});
    gone[matches[i].from] = true;
  }
  for (std::int32_t r = 0; r < length; ++r) {
    if (!gone[r]) plan.kept.push_back(r);
  }
  return plan;
}

}  // namespace tandem
