#include "index/distance.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include "core/rng.h"
#include "core/tensor.h"

namespace tandem {
namespace {

struct Data {
  std::vector<float> query;
  std::vector<std::uint16_t> rows;
  std::vector<std::int64_t> ids;
};

Data random_data(std::size_t count, std::size_t width, std::uint64_t seed) {
  Rng rng(seed);
  Data data;
  for (std::size_t i = 0; i < width; ++i)
    data.query.push_back(static_cast<float>(rng.uniform(-1, 1)));
  for (std::size_t i = 0; i < width * count; ++i)
    data.rows.push_back(float_to_half(static_cast<float>(rng.uniform(-1, 1))));
  for (std::size_t i = 0; i < count; ++i) data.ids.push_back(static_cast<std::int64_t>(3 * i + 1));
  return data;
}

double exact_dot(const Data& data, std::size_t row) {
  double sum = 0;
  for (std::size_t i = 0; i < data.query.size(); ++i) {
    sum +=
        static_cast<double>(data.query[i]) * half_to_float(data.rows[row * data.query.size() + i]);
  }
  return sum;
}

TEST(DotRows, EqualsTheSumInDoubleAtEveryWidth) {
  for (std::size_t width = 1; width < 200; ++width) {
    const Data data = random_data(3, width, width);
    std::vector<float> scores(3);
    dot_rows(data.query, data.rows, scores);
    // float32 sums of `width` products below 1: each step errs by at most 2^-24 of a partial sum
    // below `width`.
    const double tolerance = static_cast<double>(width) * static_cast<double>(width) * 0x1p-24;
    for (std::size_t i = 0; i < 3; ++i)
      ASSERT_NEAR(scores[i], exact_dot(data, i), tolerance) << "width " << width;
  }
}

TEST(DotRows, ReadsSubnormalHalvesAndInfinities) {
  const std::vector<float> query(20, 1.0F);
  std::vector<std::uint16_t> rows(40, 0);
  rows[3] = 0x0001;   // 2^-24
  rows[19] = 0x0001;  // in the tail
  rows[25] = 0x7C00;  // infinity
  std::vector<float> scores(2);
  dot_rows(query, rows, scores);
  EXPECT_EQ(scores[0], 0x1p-23F);
  EXPECT_TRUE(std::isinf(scores[1]));
}

TEST(DotIntegers, EqualsTheSumForEveryLength) {
  Rng rng(3);
  for (std::size_t count = 0; count < 300; count += count < 80 ? 1 : 37) {
    std::vector<std::int8_t> a(count);
    std::vector<std::int8_t> b(count);
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
      // The largest products, every third time.
      a[i] =
          static_cast<std::int8_t>(count % 3 == 0 ? -127 : static_cast<int>(rng.below(255)) - 127);
      b[i] =
          static_cast<std::int8_t>(count % 3 == 0 ? -127 : static_cast<int>(rng.below(255)) - 127);
      sum += a[i] * b[i];
    }
    EXPECT_EQ(dot_integers(a.data(), b.data(), count), sum) << count;
  }
}

TEST(TopK, KeepsTheBestAndBreaksTiesById) {
  TopK top(3);
  for (const Scored s : {Scored{9, 0.5F}, {4, 0.5F}, {1, 0.1F}, {7, 0.9F}, {2, 0.5F}, {3, NAN}})
    top.offer(s);
  std::vector<std::int64_t> ids;
  for (const Scored& s : top.sorted()) ids.push_back(s.id);
  EXPECT_EQ(ids, (std::vector<std::int64_t>{7, 2, 4}));
  TopK none(0);
  none.offer({1, 1});
  EXPECT_TRUE(none.sorted().empty());
}

TEST(BestRows, EqualsSortingEverythingWhateverTheThreads) {
  const Data data = random_data(70'000, 64, 5);  // enough for several chunks and threads
  std::vector<float> scores(data.ids.size());
  dot_rows(data.query, data.rows, scores);
  std::vector<Scored> want;
  for (std::size_t i = 0; i < data.ids.size(); ++i) want.push_back({data.ids[i], scores[i]});
  std::sort(want.begin(), want.end(), ranks_before);
  for (const std::size_t threads : {1, 4}) {
    const auto got = best_rows(data.query, {data.ids, data.rows, {}}, 100, threads);
    ASSERT_EQ(got.size(), 100U);
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i].id, want[i].id);
      ASSERT_EQ(got[i].score, want[i].score);
    }
  }
  EXPECT_EQ(best_rows(data.query,
                      {std::span(data.ids).first(5), std::span(data.rows).first(5 * 64), {}}, 10, 1)
                .size(),
            5U);
  EXPECT_TRUE(best_rows(data.query, {}, 10, 1).empty());
}

TEST(BestRows, ASelectionEqualsSortingTheSelected) {
  const Data data = random_data(70'000, 64, 6);
  Rng rng(7);
  for (const std::uint64_t one_in : {1, 2, 50, 5000}) {
    std::vector<std::size_t> selected;
    for (std::size_t i = 0; i < data.ids.size(); ++i) {
      if (rng.below(one_in) == 0) selected.push_back(i);
    }
    std::vector<Scored> want;
    for (const std::size_t i : selected) {
      float score = 0;
      dot_rows(data.query, std::span(data.rows).subspan(i * 64, 64), std::span(&score, 1));
      want.push_back({data.ids[i], score});
    }
    std::sort(want.begin(), want.end(), ranks_before);
    want.resize(std::min<std::size_t>(want.size(), 20));
    const auto got = best_rows(data.query, {data.ids, data.rows, selected}, 20, 2);
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      ASSERT_EQ(got[i].id, want[i].id) << "1 in " << one_in;
  }
  EXPECT_TRUE(
      best_rows(data.query, {data.ids, data.rows, std::span<const std::size_t>{}}, 20, 2).empty());
}

}  // namespace
}  // namespace tandem
