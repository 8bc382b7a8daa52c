#include "tasks/retrieval.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

namespace tandem {
namespace {

using ::testing::ElementsAre;
using Groups = std::vector<std::int64_t>;

Matrix on_circle(std::vector<std::pair<float, float>> points) {
  Matrix m(points.size(), 2);
  for (std::size_t i = 0; i < points.size(); ++i) {
    m.row(i)[0] = points[i].first;
    m.row(i)[1] = points[i].second;
  }
  return m;
}

TEST(RetrievalRanks, TakeTheBestOfSeveralRightAnswers) {
  const auto query = on_circle({{1, 0}});
  const auto pictures = on_circle({{0, 1}, {0.8F, 0.6F}, {0.6F, 0.8F}, {1, 0}});
  EXPECT_THAT(retrieval_ranks(query, Groups{7}, pictures, Groups{7, 1, 7, 2}), ElementsAre(2));
  EXPECT_THAT(retrieval_ranks(query, Groups{2}, pictures, Groups{7, 1, 7, 2}), ElementsAre(0));
}

TEST(RetrievalRanks, LeaveOutQueriesThatNothingAnswers) {
  const auto queries = on_circle({{1, 0}, {0, 1}});
  EXPECT_THAT(retrieval_ranks(queries, Groups{5, 9}, on_circle({{1, 0}}), Groups{9}),
              ElementsAre(0));
}

TEST(RetrievalRanks, AgreeAcrossBlocksOfQueries) {
  Matrix queries(600, 2);
  Groups groups(600);
  for (std::size_t i = 0; i < 600; ++i) {
    queries.row(i)[i % 2] = 1;
    groups[i] = static_cast<std::int64_t>(i % 2);
  }
  const auto ranks = retrieval_ranks(queries, groups, on_circle({{1, 0}, {0, 1}}), Groups{0, 1});
  EXPECT_EQ(ranks.size(), 600U);
  EXPECT_THAT(ranks, ::testing::Each(0U));
}

TEST(ChanceRecall, IsKOverNForSingleAnswers) {
  const Groups groups{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  EXPECT_NEAR(chance_recall(groups, groups, 1), 0.1, 1e-12);
  EXPECT_NEAR(chance_recall(groups, groups, 5), 0.5, 1e-12);
  EXPECT_NEAR(chance_recall(groups, groups, 20), 1.0, 1e-12);
}

TEST(ChanceRecall, CountsEveryRightAnswer) {
  // 2 right of 4, 2 drawn: 1 - (2/4)(1/3).
  EXPECT_NEAR(chance_recall(Groups{1}, Groups{1, 1, 2, 3}, 2), 1 - 1.0 / 6, 1e-12);
}

}  // namespace
}  // namespace tandem
