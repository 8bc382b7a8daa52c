#include <algorithm>
#include <numeric>

#include "model/backend.h"
#include "model/text.h"
#include "model/vit.h"

namespace tandem {

Segments Segments::uniform(int count, int length) {
  Segments s;
  s.offsets.reserve(count + 1);
  for (int i = 0; i <= count; ++i) s.offsets.push_back(i * length);
  s.max_length = length;
  return s;
}

Segments Segments::of(const TokenBatch& tokens) {
  Segments s;
  s.offsets = tokens.offsets;
  for (int i = 0; i < s.count(); ++i)
    s.max_length = std::max(s.max_length, s.offsets[i + 1] - s.offsets[i]);
  return s;
}

std::vector<std::int32_t> Segments::first_rows() const {
  return {offsets.begin(), offsets.end() - 1};
}

std::vector<std::int32_t> Segments::last_rows() const {
  std::vector<std::int32_t> rows;
  for (int i = 0; i < count(); ++i) rows.push_back(offsets[i + 1] - 1);
  return rows;
}

std::vector<std::int32_t> patch_dropout_rows(int count, int patches, double dropout, Rng& rng) {
  const int kept = std::max(1, static_cast<int>(patches * (1.0 - dropout)));
  std::vector<std::int32_t> rows;
  std::vector<std::int32_t> order(patches);
  for (int i = 0; i < count; ++i) {
    const std::int32_t base = i * (patches + 1);
    std::iota(order.begin(), order.end(), base + 1);
    shuffle(std::span(order), rng);
    std::sort(order.begin(), order.begin() + kept);
    rows.push_back(base);
    rows.insert(rows.end(), order.begin(), order.begin() + kept);
  }
  return rows;
}

std::vector<std::int32_t> pooled_rows(const TokenBatch& tokens, const TextConfig& config) {
  std::vector<std::int32_t> rows;
  for (int i = 0; i < tokens.count(); ++i) {
    const auto begin = tokens.ids.begin() + tokens.offsets[i];
    const auto end = tokens.ids.begin() + tokens.offsets[i + 1];
    auto row = end - 1;
    if (config.pool == TextConfig::Pool::kFirst) row = begin;
    if (config.pool == TextConfig::Pool::kArgmax && !config.causal)
      row = std::max_element(begin, end);
    if (config.pool == TextConfig::Pool::kEos) {
      row = std::find(begin, end, config.eos_id);
      if (row == end) row = begin;  // as argmax over no match gives there
    }
    rows.push_back(static_cast<std::int32_t>(row - tokens.ids.begin()));
  }
  return rows;
}

}  // namespace tandem
