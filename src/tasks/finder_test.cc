#include "tasks/finder.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numbers>

#include "tasks/memory_store.h"

namespace tandem {
namespace {

using testing::ElementsAre;

// Rows of a plane at an angle to the query, in degrees: row i scores cos(degrees[i]).
struct Plane {
  MemoryStore store{2};
  std::vector<float> query{1, 0};

  explicit Plane(const std::vector<double>& degrees) { add(degrees); }
  void add(const std::vector<double>& degrees, ItemKind kind = ItemKind::kPicture) {
    std::vector<Item> items(degrees.size());
    Matrix vectors(degrees.size(), 2);
    for (std::size_t i = 0; i < degrees.size(); ++i) {
      const double angle = degrees[i] / 180 * std::numbers::pi;
      vectors.row(i)[0] = static_cast<float>(std::cos(angle));
      vectors.row(i)[1] = static_cast<float>(std::sin(angle));
      items[i].kind = kind;
      items[i].uri = std::to_string(degrees[i]);
      // The 2nd of January 2024 and later, the best row the newest but one.
      items[i].mtime_ns =
          1'704'153'600'000'000'000 + (i == 0 ? 15 : 10 * (1 + static_cast<int>(i % 7)));
      items[i].width = 100 * static_cast<int>(1 + i % 2);
      items[i].metadata_json =
          i % 2 == 0 ? R"({"tag":["a","b"],"deep":{"n":1.5}})" : R"({"tag":"b"})";
    }
    store.upsert(items, vectors);
  }
  Answer find(const FindOptions& options, const Calibration* calibration = nullptr) const {
    return tandem::find(store, query, false, calibration, options);
  }
};

std::vector<std::int64_t> ids(const Answer& answer) {
  std::vector<std::int64_t> result;
  for (const auto& row : answer.rows) result.push_back(row.item.id);
  return result;
}

// Cuts at `best`, and where the best row reaches it at `rows`.
Calibration cut_at(float best, float rows, ItemKind kind = ItemKind::kPicture) {
  Calibration calibration;
  calibration.sample = Matrix(2, 2);
  calibration.kinds = {kind, kind};
  // Ten values: the 0.9 quantile is the last, the 0.5 quantile the sixth.
  auto& chance = calibration.chance[0][static_cast<std::size_t>(kind)].values;
  chance.assign(9, rows);
  chance.push_back(best);
  return calibration;
}

TEST(Finder, PagesThroughRowsBestFirst) {
  const Plane plane({10, 20, 30, 40, 50});
  const auto first = plane.find({.limit = 2});
  EXPECT_THAT(ids(first), ElementsAre(1, 2));
  EXPECT_EQ(first.total, 5U);
  EXPECT_FALSE(first.relevance);
  EXPECT_TRUE(first.rows[0].relevant);
  EXPECT_NEAR(*first.best, std::cos(10 / 180.0 * std::numbers::pi), 1e-6);
  EXPECT_THAT(ids(plane.find({.offset = 4, .limit = 2})), ElementsAre(5));
  EXPECT_THAT(ids(plane.find({.offset = 5, .limit = 2})), ElementsAre());
  EXPECT_THAT(ids(plane.find({.offset = 5'000})), ElementsAre());
}

TEST(Finder, RowsBelowTheCutOffAreMarkedOrLeftOut) {
  const Plane plane({10, 20, 70, 80});  // 0.98, 0.94, 0.34, 0.17
  const auto calibration = cut_at(0.9F, 0.3F);
  const auto marked = plane.find({}, &calibration);
  EXPECT_THAT(ids(marked), ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(marked.rows[2].relevant);
  EXPECT_FALSE(marked.rows[3].relevant);
  EXPECT_EQ(marked.relevant, 3U);
  EXPECT_EQ(marked.relevance->cut_off, 0.3F);
  const auto cut = plane.find({.relevant_only = true}, &calibration);
  EXPECT_THAT(ids(cut), ElementsAre(1, 2, 3));
  EXPECT_EQ(cut.total, 3U);
}

TEST(Finder, WhereTheBestRowStaysBelowNothingIsRelevant) {
  const Plane plane({60, 70});  // 0.5, 0.34
  const auto calibration = cut_at(0.9F, 0.3F);
  const auto answer = plane.find({.relevant_only = true}, &calibration);
  EXPECT_TRUE(answer.rows.empty());
  EXPECT_EQ(answer.total, 0U);
  EXPECT_EQ(answer.relevant, 0U);
  EXPECT_NEAR(*answer.best, 0.5, 1e-6);
  EXPECT_EQ(answer.relevance->cut_off, 0.9F);
}

TEST(Finder, ALeastScoreTakesTheCutOffsPlace) {
  const Plane plane({10, 20, 70, 80});
  const auto calibration = cut_at(0.99F, 0.99F);
  const auto answer = plane.find({.least_score = 0.3F, .relevant_only = true}, &calibration);
  EXPECT_THAT(ids(answer), ElementsAre(1, 2, 3));
  EXPECT_EQ(answer.relevant, 0U);
}

TEST(Finder, TextsAmongPicturesAreCutByTheirOwn) {
  Plane plane({60, 70});
  plane.add({30, 50}, ItemKind::kText);
  auto calibration = cut_at(0.4F, 0.4F);
  calibration.kinds[1] = ItemKind::kText;
  calibration.chance[0][1].values.assign(10, 0.7F);
  const auto answer = plane.find({.relevant_only = true}, &calibration);
  EXPECT_THAT(ids(answer), ElementsAre(3, 1)) << "0.87 of a text and 0.5 of a picture";
  EXPECT_EQ(answer.relevance->cut_off, 0.4F);
}

TEST(Finder, SortsWhatIsRelevantByDate) {
  const Plane plane({10, 20, 30, 40, 80});  // times 15, 20, 30, 40, 50
  const auto calibration = cut_at(0.5F, 0.5F);
  EXPECT_THAT(ids(plane.find({.sort = SortBy::kNewest}, &calibration)), ElementsAre(4, 3, 2, 1, 5));
  EXPECT_THAT(ids(plane.find({.sort = SortBy::kOldest, .relevant_only = true}, &calibration)),
              ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(ids(plane.find({.sort = SortBy::kNewest})), ElementsAre(5, 4, 3, 2, 1));
  EXPECT_THAT(ids(plane.find({.limit = 2, .sort = SortBy::kNewest})), ElementsAre(5, 4));
}

TEST(Finder, GathersNearDuplicatesUnderTheBetterRow) {
  const Plane plane({10, 30, 11, -10, 31.5, 12});
  const auto answer = plane.find({.collapse_above = 0.999F});  // 2.56 degrees
  EXPECT_THAT(ids(answer), ElementsAre(1, 4, 2));
  EXPECT_THAT(answer.rows[0].duplicates, ElementsAre(3, 6));
  EXPECT_THAT(answer.rows[1].duplicates, ElementsAre());
  EXPECT_THAT(answer.rows[2].duplicates, ElementsAre(5));
  EXPECT_EQ(answer.total, 3U);
  EXPECT_EQ(answer.relevant, 6U);
}

TEST(Finder, CountsFacetsOfTheRowsThatAreShown) {
  const Plane plane({10, 20, 30, 40, 80});
  const auto calibration = cut_at(0.5F, 0.5F);
  const auto answer =
      plane.find({.limit = 1,
                  .relevant_only = true,
                  .facets = {"metadata.tag", "width", "mtime", "kind", "metadata.deep.n"}},
                 &calibration);
  ASSERT_EQ(answer.facets.size(), 5U);
  const auto values = [&](std::size_t i) {
    std::string text;
    for (const auto& value : answer.facets[i].values)
      text += value.value + "=" + std::to_string(value.count) + " ";
    return text;
  };
  EXPECT_EQ(values(0), "b=4 a=2 ");
  EXPECT_EQ(values(1), "100=2 200=2 ");
  EXPECT_EQ(values(2), "2024-01-02=4 ");
  EXPECT_EQ(values(3), "picture=4 ");
  EXPECT_EQ(values(4), "1.5=2 ");
  EXPECT_THROW(plane.find({.facets = {"nonsense"}}), Error);
}

TEST(Finder, FiltersAndGivesVectors) {
  const Plane plane({10, 20, 30, 40});
  const auto answer = plane.find(
      {.filter = parse_item_filter(std::string_view(R"({"width": 200})")), .with_vectors = true});
  EXPECT_THAT(ids(answer), ElementsAre(2, 4));
  EXPECT_EQ(answer.total, 2U);
  EXPECT_NEAR(answer.rows[0].vector.at(0), answer.rows[0].score, 1e-6);
}

TEST(Finder, LooksNoFurtherThanItMust) {
  std::vector<double> degrees;
  for (int i = 0; i < 1'500; ++i) degrees.push_back(i * 0.06);  // 0 to 90
  const Plane plane(degrees);
  const auto plain = plane.find({});
  EXPECT_EQ(plain.total, kMostRows);
  EXPECT_EQ(plane.store.most_asked, 200U);
  auto calibration = cut_at(0.999F, 0.99F);  // 8.1 degrees: 135 rows
  EXPECT_EQ(plane.find({.relevant_only = true, .facets = {"width"}}, &calibration).total, 136U);
  EXPECT_EQ(plane.store.most_asked, 200U);
  calibration = cut_at(0.9F, 0.9F);  // 25.8 degrees
  EXPECT_EQ(plane.find({.relevant_only = true}, &calibration).total, 431U);
  EXPECT_EQ(plane.store.most_asked, kMostRows);
}

TEST(Finder, AnEmptyStoreHasNoAnswers) {
  const Plane plane({});
  const auto answer = plane.find({.collapse_above = 0.9F, .facets = {"kind"}});
  EXPECT_TRUE(answer.rows.empty());
  EXPECT_EQ(answer.total, 0U);
  EXPECT_FALSE(answer.best);
}

TEST(Finder, GroupsNearDuplicatesLargestFirst) {
  std::vector<double> degrees;
  for (int i = 0; i < 100; ++i) degrees.push_back(i * 3);
  degrees.push_back(0.5);  // far from its group's first in the order of ids
  degrees.push_back(270.5);
  degrees.push_back(269.5);
  const Plane plane(degrees);
  const auto groups = near_duplicates(plane.store, 0.9995F);  // 1.8 degrees
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_THAT(groups[0], ElementsAre(91, 102, 103));
  EXPECT_THAT(groups[1], ElementsAre(1, 101));
  const auto wider = near_duplicates(Plane({10, 50, 11, 90, 51, 12, 13.5}).store, 0.999F);
  ASSERT_EQ(wider.size(), 2U);
  EXPECT_THAT(wider[0], ElementsAre(1, 3, 6));
  EXPECT_THAT(wider[1], ElementsAre(2, 5));
}

}  // namespace
}  // namespace tandem
