#include "index/distance.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "core/tensor.h"
#include "core/threads.h"

// clang-format off: this file is compiled once per instruction set, and the order of these lines matters.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "index/distance.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// One row. Four sums in flight hide the latency of multiply-add.
float dot_row(const float* query, const std::uint16_t* row, std::size_t width) {
  const hn::ScalableTag<float> f32;
  const hn::Rebind<hwy::float16_t, decltype(f32)> f16;
  const std::size_t lanes = hn::Lanes(f32);
  const auto* halves = reinterpret_cast<const hwy::float16_t*>(row);
  const auto product = [&](std::size_t i, auto sum) {
    return hn::MulAdd(hn::LoadU(f32, query + i), hn::PromoteTo(f32, hn::LoadU(f16, halves + i)),
                      sum);
  };
  auto sum0 = hn::Zero(f32), sum1 = hn::Zero(f32), sum2 = hn::Zero(f32), sum3 = hn::Zero(f32);
  std::size_t i = 0;
  for (; i + 4 * lanes <= width; i += 4 * lanes) {
    sum0 = product(i, sum0);
    sum1 = product(i + lanes, sum1);
    sum2 = product(i + 2 * lanes, sum2);
    sum3 = product(i + 3 * lanes, sum3);
  }
  for (; i + lanes <= width; i += lanes) sum0 = product(i, sum0);
  const auto sum = hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3));
  float total = hn::GetLane(hn::SumOfLanes(f32, sum));
  for (; i < width; ++i) total += query[i] * half_to_float(row[i]);
  return total;
}

void dot_rows_simd(const float* query, const std::uint16_t* rows, std::size_t width,
                   std::span<float> scores) {
  for (std::size_t i = 0; i < scores.size(); ++i)
    scores[i] = dot_row(query, rows + i * width, width);
}

std::int32_t dot_integers_simd(const std::int8_t* a, const std::int8_t* b, std::size_t count) {
  const hn::ScalableTag<std::int16_t> i16;
  const hn::Rebind<std::int8_t, decltype(i16)> i8;
  const hn::RepartitionToWide<decltype(i16)> i32;
  const std::size_t lanes = hn::Lanes(i16);
  // Products of neighbours are added in pairs; the two sums of each step take turns.
  auto sum0 = hn::Zero(i32), sum1 = hn::Zero(i32), sum2 = hn::Zero(i32), sum3 = hn::Zero(i32);
  const auto wide = [&](const std::int8_t* p) { return hn::PromoteTo(i16, hn::LoadU(i8, p)); };
  std::size_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    sum0 = hn::ReorderWidenMulAccumulate(i32, wide(a + i), wide(b + i), sum0, sum1);
    sum2 = hn::ReorderWidenMulAccumulate(i32, wide(a + i + lanes), wide(b + i + lanes), sum2, sum3);
  }
  const auto sum = hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3));
  std::int32_t total = hn::GetLane(hn::SumOfLanes(i32, sum));
  for (; i < count; ++i) total += static_cast<std::int32_t>(a[i]) * b[i];
  return total;
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace {

HWY_EXPORT(dot_rows_simd);
HWY_EXPORT(dot_integers_simd);

constexpr std::size_t kChunkRows = 4'096;
// Below this many values the scan takes less time than starting a thread.
constexpr std::size_t kParallelValues = 4'000'000;

}  // namespace

void dot_rows(std::span<const float> query, std::span<const std::uint16_t> rows,
              std::span<float> scores) {
  assert(rows.size() == query.size() * scores.size());
  HWY_DYNAMIC_DISPATCH(dot_rows_simd)(query.data(), rows.data(), query.size(), scores);
}

std::int32_t dot_integers(const std::int8_t* a, const std::int8_t* b, std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(dot_integers_simd)(a, b, count);
}

bool ranks_before(const Scored& a, const Scored& b) {
  return a.score != b.score ? a.score > b.score : a.id < b.id;
}

void TopK::offer(Scored candidate) {
  if (k_ == 0) return;
  if (std::isnan(candidate.score)) candidate.score = -std::numeric_limits<float>::infinity();
  if (heap_.size() == k_) {
    if (!ranks_before(candidate, heap_.front())) return;
    std::pop_heap(heap_.begin(), heap_.end(), ranks_before);
    heap_.back() = candidate;
  } else {
    heap_.push_back(candidate);
  }
  std::push_heap(heap_.begin(), heap_.end(), ranks_before);
}

void TopK::merge(const TopK& other) {
  for (const Scored& candidate : other.heap_) offer(candidate);
}

std::vector<Scored> TopK::sorted() const {
  std::vector<Scored> result = heap_;
  std::sort(result.begin(), result.end(), ranks_before);
  return result;
}

std::vector<Scored> best_rows(std::span<const float> query, const RowSet& set, std::size_t k,
                              std::size_t threads) {
  const std::size_t count = set.selected ? set.selected->size() : set.ids.size();
  const std::size_t chunks = (count + kChunkRows - 1) / kChunkRows;
  if (count * query.size() < kParallelValues) threads = 1;
  std::vector<TopK> best(chunks, TopK(std::min(k, count)));
  parallel_for(chunks, threads, [&](std::size_t chunk) {
    const std::size_t end = std::min((chunk + 1) * kChunkRows, count);
    const auto position = [&](std::size_t i) { return set.selected ? (*set.selected)[i] : i; };
    std::vector<float> scores;
    for (std::size_t i = chunk * kChunkRows; i < end;) {
      const std::size_t first = position(i);
      std::size_t length = 1;  // of the run of neighbouring rows that begins here
      while (i + length < end && position(i + length) == first + length) ++length;
      scores.resize(length);
      dot_rows(query, set.rows.subspan(first * query.size(), length * query.size()), scores);
      for (std::size_t j = 0; j < length; ++j) best[chunk].offer({set.ids[first + j], scores[j]});
      i += length;
    }
  });
  TopK all(std::min(k, count));
  for (const TopK& part : best) all.merge(part);
  return all.sorted();
}

}  // namespace tandem
#endif  // HWY_ONCE
