#include <algorithm>
#include <numeric>
#include <span>

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

Segments Segments::of(std::span<const GridSize> grids) {
  Segments s;
  s.offsets = {0};
  for (const GridSize& grid : grids) {
    s.offsets.push_back(s.offsets.back() + grid.cells());
    s.max_length = std::max(s.max_length, grid.cells());
  }
  return s;
}

Segments Segments::paths() const {
  Segments s;
  s.offsets = path_offsets;
  s.max_length = max_length;
  return s;
}

std::vector<std::int32_t> Segments::own_rows_in_paths() const {
  std::vector<std::int32_t> rows;
  for (int i = 0; i < count(); ++i) {
    const std::int32_t own = offsets[i + 1] - offsets[i];
    for (std::int32_t r = path_offsets[i + 1] - own; r < path_offsets[i + 1]; ++r)
      rows.push_back(r);
  }
  return rows;
}

Segments share_prefixes(const TokenBatch& tokens) {
  Segments s;
  s.offsets = {0};
  s.path_offsets = {0};
  for (int i = 0; i < tokens.count(); ++i) {
    const std::span ids = std::span(tokens.ids).subspan(tokens.offsets[i]);
    const int length = tokens.offsets[i + 1] - tokens.offsets[i];
    int same = 0;
    if (i > 0) {
      const std::span before = std::span(tokens.ids).subspan(tokens.offsets[i - 1]);
      const int limit = std::min(length - 1, tokens.offsets[i] - tokens.offsets[i - 1]);
      while (same < limit && ids[same] == before[same]) ++same;
    }
    const std::int32_t begin = i > 0 ? s.path_offsets[i - 1] : 0;
    for (int j = 0; j < same; ++j) s.path.push_back(s.path[begin + j]);
    for (int j = same; j < length; ++j) s.path.push_back(s.offsets.back() + j - same);
    s.path_offsets.push_back(static_cast<std::int32_t>(s.path.size()));
    s.offsets.push_back(s.offsets.back() + length - same);
    s.max_length = std::max(s.max_length, length);
  }
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

ClassRows class_rows(const TokenBatch& tokens, const TextConfig& config) {
  ClassRows out;
  std::vector<std::int32_t> ids;
  for (int i = 0; i < tokens.count(); ++i) {
    ids.assign(tokens.ids.begin() + tokens.offsets[i], tokens.ids.begin() + tokens.offsets[i + 1]);
    if (!config.correct_cls_mask && std::ssize(ids) < config.context_length)
      ids.push_back(config.pad_id);
    out.tokens.add(ids);
  }
  out.segments = masked_segments(out.tokens, config);
  // One more row behind each segment.
  const Segments before = std::move(out.segments);
  out.segments = {{0}, before.max_length + 1, {}, {}, {}};
  auto hidden = before.hidden.begin();
  for (int i = 0; i < before.count(); ++i) {
    const std::int32_t end = before.offsets[i + 1];
    for (; hidden != before.hidden.end() && *hidden < end; ++hidden)
      out.segments.hidden.push_back(*hidden + i);
    const bool class_hidden = !config.correct_cls_mask && out.tokens.ids[end - 1] == config.pad_id;
    if (class_hidden) out.segments.hidden.push_back(end + i);
    out.segments.offsets.push_back(end + i + 1);
  }
  return out;
}

Segments masked_segments(const TokenBatch& tokens, const TextConfig& config) {
  Segments s = Segments::of(tokens);
  const int shift = config.correct_cls_mask ? 0 : 1;
  for (int i = 0; i < s.count(); ++i) {
    for (int r = s.offsets[i] + shift; r < s.offsets[i + 1]; ++r) {
      if (tokens.ids[r - shift] == config.pad_id) s.hidden.push_back(r);
    }
  }
  return s;
}

}  // namespace tandem
