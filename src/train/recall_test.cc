#include "train/recall.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

Matrix rows(std::vector<std::vector<float>> values) {
  Matrix m(values.size(), values[0].size());
  for (std::size_t i = 0; i < values.size(); ++i)
    std::copy(values[i].begin(), values[i].end(), m.row(i).begin());
  return m;
}

TEST(Recall, AnyPictureOfTheGroupCountsAndTiesDoNot) {
  // Scores of the one text against the pictures: 0.2, 0.9, 0.8, 0.8.
  const Matrix text = rows({{1}});
  const Matrix images = rows({{0.2F}, {0.9F}, {0.8F}, {0.8F}});
  const std::vector<std::int64_t> group{5};
  EXPECT_EQ(recall_at(images, std::vector<std::int64_t>{5, 5, 1, 2}, text, group, 1), 1);
  EXPECT_EQ(recall_at(images, std::vector<std::int64_t>{5, 1, 1, 2}, text, group, 3), 0);
  EXPECT_EQ(recall_at(images, std::vector<std::int64_t>{5, 1, 1, 2}, text, group, 4), 1);
  EXPECT_EQ(recall_at(images, std::vector<std::int64_t>{1, 2, 5, 3}, text, group, 2),
            0);  // tied at 0.8
}

}  // namespace
}  // namespace tandem
