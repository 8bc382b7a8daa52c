// Collections that are searched by a graph, against scans of all their vectors.
#include <atomic>
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>
#include <set>
#include <sqlite3.h>
#include <thread>
#include <unistd.h>

#include "core/error.h"
#include "core/files.h"
#include "core/rng.h"
#include "index/collection.h"
#include "index/graph.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

constexpr int kWidth = 32;
constexpr std::size_t kRows = 3'000;

class CollectionGraph : public ::testing::Test {
 protected:
  CollectionGraph() {
    std::string pattern = (fs::temp_directory_path() / "tandem_graph_XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    dir_ = root_ / "many.tandem";
    for (auto& center : centers_) center = unit(std::vector<float>(kWidth));
  }
  ~CollectionGraph() override { fs::remove_all(root_); }

  Collection open() { return Collection::open(dir_, OpenMode::kWrite, "mini", "3f2a", kWidth); }

  // A row near `around`, or anywhere when that is zero.
  std::vector<float> unit(std::vector<float> around) {
    double squares = 0;
    for (float& v : around) {
      v += 0.12F * static_cast<float>(rng_.normal());
      squares += static_cast<double>(v) * v;
    }
    for (float& v : around) v = static_cast<float>(v / std::sqrt(squares));
    return around;
  }
  std::vector<float> near_a_center() { return unit(centers_[rng_.below(centers_.size())]); }

  void add(Collection& collection, std::size_t count, const std::string& prefix) {
    std::vector<Item> items;
    Matrix vectors(count, kWidth);
    for (std::size_t i = 0; i < count; ++i) {
      Item item;
      item.uri = prefix + "/" + std::to_string(i);
      item.sha256 = item.uri;
      item.width = static_cast<int>(i % 100);
      items.push_back(item);
      const auto row = near_a_center();
      std::copy(row.begin(), row.end(), vectors.row(i).begin());
    }
    collection.upsert(items, vectors);
  }

  GraphReport update(Collection& collection) {
    return collection.update_graph({.minimum_rows = 100});
  }

  // The share of the true ten nearest that searches by the graph find; their scores are exact.
  double recall(const Collection& collection, const std::string& where = "") {
    std::size_t found = 0;
    std::size_t possible = 0;
    for (int q = 0; q < 50; ++q) {
      const auto query = near_a_center();
      const auto exact = collection.search(query, {.where = where, .graph_rows = 1'000'000});
      const auto fast = collection.search(query, {.where = where, .graph_rows = 100});
      EXPECT_EQ(fast.size(), exact.size());
      std::set<std::pair<std::int64_t, float>> truth;
      for (const Hit& hit : exact) truth.insert({hit.id, hit.score});
      for (const Hit& hit : fast) found += truth.count({hit.id, hit.score});
      possible += exact.size();
      for (std::size_t i = 1; i < fast.size(); ++i) EXPECT_GE(fast[i - 1].score, fast[i].score);
    }
    return static_cast<double>(found) / static_cast<double>(possible);
  }

  Rng rng_{7};
  std::array<std::vector<float>, 60> centers_;
  fs::path root_;
  fs::path dir_;
};

TEST_F(CollectionGraph, FindsWhatAScanFinds) {
  Collection collection = open();
  add(collection, kRows, "a");
  const auto report = update(collection);
  EXPECT_EQ(report.done, GraphReport::Done::kBuilt);
  EXPECT_EQ(report.added, kRows);
  EXPECT_EQ(report.rows, kRows);
  EXPECT_EQ(report.file_bytes, fs::file_size(dir_ / "vectors.usearch"));
  EXPECT_GE(recall(collection), 0.99);
  const auto again = update(collection);
  EXPECT_EQ(again.done, GraphReport::Done::kNothing);
}

TEST_F(CollectionGraph, SmallCollectionsHaveNone) {
  Collection collection = open();
  add(collection, 99, "a");
  EXPECT_EQ(update(collection).done, GraphReport::Done::kTooSmall);
  EXPECT_FALSE(fs::exists(dir_ / "vectors.usearch"));
}

TEST_F(CollectionGraph, RowsAddedReplacedAndRemovedSinceAreRight) {
  Collection collection = open();
  add(collection, kRows, "a");
  update(collection);
  add(collection, 400, "b");  // new
  add(collection, 200, "a");  // replaced: other vectors, same ids
  std::vector<std::string> keep;
  for (std::size_t i = 0; i < kRows; ++i) {
    if (i % 10 != 3) keep.push_back("a/" + std::to_string(i));
  }
  EXPECT_EQ(collection.remove_missing({"a"}, keep), kRows / 10);
  EXPECT_EQ(update(collection).done, GraphReport::Done::kNothing) << "few new rows are scanned";
  EXPECT_GE(recall(collection), 0.98);
}

TEST_F(CollectionGraph, GrowsAndIsBuiltAnewWhenMuchIsGone) {
  Collection collection = open();
  add(collection, kRows, "a");
  update(collection);
  add(collection, 6'000, "b");
  const auto grown = update(collection);
  EXPECT_EQ(grown.done, GraphReport::Done::kExtended);
  EXPECT_EQ(grown.added, 6'000U);
  EXPECT_EQ(grown.rows, kRows + 6'000);
  EXPECT_GE(recall(collection), 0.98);
  collection.remove_missing({"b"}, {});
  const auto anew = update(collection);
  EXPECT_EQ(anew.done, GraphReport::Done::kBuilt);
  EXPECT_EQ(anew.rows, kRows);
  EXPECT_GE(recall(collection), 0.98);
}

TEST_F(CollectionGraph, ConditionsNeverReturnTooFew) {
  Collection collection = open();
  add(collection, kRows, "a");
  update(collection);
  EXPECT_EQ(recall(collection, "width = 7"), 1.0) << "few rows: every score is computed";
  EXPECT_EQ(recall(collection, "width < 50"), 1.0);
  EXPECT_EQ(recall(collection, "id = 5"), 1.0);
  EXPECT_TRUE(
      collection.search(near_a_center(), {.where = "width = 1000", .graph_rows = 100}).empty());
}

TEST_F(CollectionGraph, ConditionsThatLeaveManyAskTheGraphAndNeverReturnTooFew) {
  Collection collection = open();
  constexpr std::size_t kMany = 22'000;  // more than are scored one by one
  add(collection, kMany, "a");
  update(collection);
  EXPECT_GE(recall(collection, "width < 98"), 0.97);
  EXPECT_GE(recall(collection, "width < 98 AND uri NOT LIKE 'a/7%'"), 0.97);
  // Of the rows that are allowed, most are removed and added anew.
  std::vector<std::int64_t> ids(2'000);
  std::iota(ids.begin(), ids.end(), 1);
  collection.remove(ids);
  add(collection, 2'000, "b");
  EXPECT_GE(recall(collection, "width < 98"), 0.97);
  const auto query = near_a_center();
  EXPECT_EQ(collection.search(query, {.top_k = 30'000, .graph_rows = 100}).size(), kMany);
  EXPECT_EQ(collection.search(query, {.top_k = 3'000, .graph_rows = 100}).size(), 3'000U);
}

TEST_F(CollectionGraph, SearchesFromManyThreadsWhileRowsAndTheGraphChange) {
  Collection collection = open();
  add(collection, 1'000, "a");
  update(collection);
  const Collection beside = Collection::open(dir_, OpenMode::kRead, "", "", 0);
  std::vector<std::vector<float>> queries;
  for (int i = 0; i < 8; ++i) queries.push_back(near_a_center());
  std::atomic<bool> done = false;
  std::vector<std::jthread> searchers;
  for (std::size_t t = 0; t < 6; ++t) {
    searchers.emplace_back([&, t] {
      const Collection& one = t % 2 == 0 ? collection : beside;
      const auto filter = parse_item_filter(R"({"width": {"lt": 60}})"sv);
      for (std::size_t i = t; !done; ++i) {
        const auto& query = queries[i % queries.size()];
        EXPECT_EQ(one.search(query, {.graph_rows = 1}).size(), 10U);
        EXPECT_EQ(one.search(query, {.filter = filter, .graph_rows = 1}).size(), 10U);
        EXPECT_EQ(one.search(query, {.where = "width >= 60"}).size(), 10U);
        const auto newest = one.list(filter, 0, 10);
        EXPECT_EQ(newest.size(), 10U);
        EXPECT_FALSE(one.sample(20).empty());
      }
    });
  }
  for (int round = 0; round < 8; ++round) {
    add(collection, 300, "b" + std::to_string(round % 3));
    if (round % 3 == 2) collection.remove(collection.sample(200));
    if (round % 4 == 3) {
      fs::remove(dir_ / "vectors.usearch");
      EXPECT_EQ(update(collection).done, GraphReport::Done::kBuilt);
    }
    collection.set_note("card", std::to_string(round));
  }
  done = true;
}

// The answers stay those of a scan, whatever happens to the derived file.
TEST_F(CollectionGraph, DamageToTheFileIsNoticed) {
  Collection collection = open();
  add(collection, 300, "a");
  update(collection);
  const auto path = dir_ / "vectors.usearch";
  const auto whole = read_file(path);
  for (int i = 0; i < 300; ++i) {
    auto damaged = whole;
    if (i % 4 == 0) {
      damaged.resize(rng_.below(whole.size()));
    } else if (i % 4 == 1) {
      damaged[damaged.size() - 1 - rng_.below(300)] ^= static_cast<std::byte>(1 + rng_.below(255));
    } else {
      damaged[rng_.below(damaged.size())] ^= static_cast<std::byte>(1 + rng_.below(255));
    }
    write_file_atomically(path, {reinterpret_cast<const char*>(damaged.data()), damaged.size()});
    EXPECT_THROW(Graph::open(path), Error) << i;
  }
  EXPECT_EQ(recall(collection), 1.0) << "a scan";
  EXPECT_EQ(update(collection).done, GraphReport::Done::kBuilt);
}

TEST_F(CollectionGraph, OfAnotherModelOrAnotherCollectionIsNotUsed) {
  {
    auto other = Collection::open(root_ / "other.tandem", OpenMode::kWrite, "big", "77", kWidth);
    add(other, 500, "x");
    update(other);
  }
  Collection collection = open();
  add(collection, 500, "a");
  fs::copy_file(root_ / "other.tandem/vectors.usearch", dir_ / "vectors.usearch");
  EXPECT_EQ(recall(collection), 1.0) << "a scan";
  EXPECT_EQ(update(collection).done, GraphReport::Done::kBuilt);
}

TEST_F(CollectionGraph, StopsWhenAskedAndLeavesNothing) {
  Collection collection = open();
  add(collection, kRows, "a");
  const auto report =
      collection.update_graph({.minimum_rows = 100, .stop = [] { return true; }, .progress = {}});
  EXPECT_EQ(report.done, GraphReport::Done::kStopped);
  EXPECT_FALSE(fs::exists(dir_ / "vectors.usearch"));
}

TEST_F(CollectionGraph, AnOlderCollectionIsBroughtUpToDateByAWriter) {
  {
    Collection collection = open();
    add(collection, 500, "a");
  }
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((dir_ / "items.sqlite").c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db,
                         "DROP INDEX vectors_by_revision; ALTER TABLE vectors DROP COLUMN revision;"
                         "DELETE FROM meta WHERE key IN ('revision', 'count');"
                         "DROP TABLE next_vectors; DROP INDEX items_by_time;"
                         "ALTER TABLE items DROP COLUMN kind; PRAGMA user_version = 1",
                         nullptr, nullptr, nullptr),
            SQLITE_OK)
      << sqlite3_errmsg(db);
  sqlite3_close(db);
  try {
    Collection::open(dir_, OpenMode::kRead, "", "", 0);
    ADD_FAILURE() << "opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::kUnsupported);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("Run \"tandem index\""));
  }
  Collection collection = open();
  EXPECT_EQ(collection.size(), 500U);
  add(collection, 100, "b");
  EXPECT_EQ(update(collection).added, 600U);
  EXPECT_GE(recall(collection), 0.99);
}

}  // namespace
}  // namespace tandem
