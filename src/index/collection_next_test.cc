// Another model's vectors, made and switched to while the old ones serve.
#include <atomic>
#include <gmock/gmock.h>
#include <thread>

#include "index/test_collection.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

constexpr int kOld = 4;
constexpr int kNew = 8;
const StoreMeta kBig{"big", "77aa", kNew};

class CollectionNext : public ::testing::Test {
 protected:
  CollectionNext() : dir_(folder_.path() / "c.tandem") {}
  Collection writer(const std::string& fingerprint = "", int width = kOld) {
    return Collection::open(dir_, OpenMode::kWrite, "mini",
                            fingerprint.empty() && width == kOld ? "3f2a" : fingerprint, width);
  }
  Collection reader() { return Collection::open(dir_, OpenMode::kRead, "", "", 0); }
  void add(Collection& collection, const std::string& prefix, std::size_t count) {
    collection.upsert(numbered_items(prefix, count), random_units(rng_, count, collection.width()));
  }
  // Gives what is missing vectors whose first value is the id / 1000.
  void fill(Collection& collection, std::size_t at_once = 7) {
    std::int64_t after = 0;
    while (true) {
      const auto ids = collection.next_missing(at_once, after);
      if (ids.empty()) return;
      collection.put_next(ids, next_vectors(ids));
      after = ids.back();
    }
  }
  static Matrix next_vectors(const std::vector<std::int64_t>& ids) {
    Matrix vectors(ids.size(), kNew);
    for (std::size_t i = 0; i < ids.size(); ++i)
      vectors.row(i)[0] = static_cast<float>(ids[i]) / 1'000;
    return vectors;
  }

  Rng rng_{5};
  TestFolder folder_;
  std::filesystem::path dir_;
};

TEST_F(CollectionNext, SwitchesInOneStepAndReadersFromBeforeAreTold) {
  Collection collection = writer();
  add(collection, "a", 20);
  collection.set_note("calibration", "of the old vectors");
  const auto query = random_unit(rng_, kOld);
  const auto before = collection.search(query, {});
  EXPECT_FALSE(collection.next());
  collection.begin_next(kBig);
  EXPECT_EQ(collection.next()->fingerprint, "77aa");
  EXPECT_EQ(collection.next_missing(100).size(), 20U);
  const Collection beside = reader();
  fill(collection);
  for (const Collection* one : {&std::as_const(collection), &beside}) {
    const auto hits = one->search(query, {});
    ASSERT_EQ(hits.size(), before.size());
    for (std::size_t i = 0; i < hits.size(); ++i) EXPECT_EQ(hits[i].id, before[i].id);
  }
  collection.switch_to_next();
  EXPECT_EQ(collection.meta().model_name, "big");
  EXPECT_EQ(collection.width(), kNew);
  EXPECT_FALSE(collection.next());
  EXPECT_FALSE(collection.note("calibration"));
  EXPECT_EQ(collection.size(), 20U);

  const auto [kind, text] = error_of([&] { beside.search(query, {}); });
  EXPECT_EQ(kind, Kind::kInput);
  EXPECT_THAT(text, HasSubstr("is now of big 77aa; it was opened for mini 3f2a"));
  EXPECT_EQ(error_of([&] { beside.vectors(std::vector<std::int64_t>{1}); }).first, Kind::kInput);

  std::vector<float> axis(kNew);
  axis[0] = 1;
  for (const Collection* one : {&std::as_const(collection)}) {
    const auto hits = one->search(axis, {.top_k = 3});
    ASSERT_EQ(hits.size(), 3U);
    EXPECT_EQ(hits[0].id, 20);
    EXPECT_NEAR(hits[0].score, 0.02F, 1e-4F);
  }
  EXPECT_EQ(reader().search(axis, {.top_k = 3}).at(2).id, 18);
  EXPECT_EQ(error_of([&] { Collection::open(dir_, OpenMode::kRead, "mini", "3f2a", kOld); }).first,
            Kind::kInput);
}

TEST_F(CollectionNext, GoesOnAfterAnInterruptionAndKnowsWhatChanged) {
  {
    Collection collection = writer();
    add(collection, "a", 20);
    collection.begin_next(kBig);
    const auto ids = collection.next_missing(12);
    collection.put_next(ids, next_vectors(ids));
  }
  Collection collection = writer();
  collection.begin_next(kBig);  // goes on
  EXPECT_EQ(collection.next_missing(100).size(), 8U);
  const auto [kind, text] = error_of([&] { collection.switch_to_next(); });
  EXPECT_EQ(kind, Kind::kInput);
  EXPECT_THAT(text, HasSubstr("8 items have no vector of big yet"));
  EXPECT_EQ(collection.meta().model_name, "mini");
  add(collection, "a", 3);  // replaced: made from other content
  add(collection, "b", 2);  // new
  const std::vector<std::int64_t> gone = {5, 20};
  EXPECT_EQ(collection.remove(gone), 2U);
  EXPECT_EQ(collection.next_missing(100).size(), 8U - 1 + 3 + 2);
  EXPECT_EQ(collection.next_missing(2, 3), (std::vector<std::int64_t>{13, 14}));
  fill(collection);
  collection.put_next(std::vector<std::int64_t>{5}, Matrix(1, kNew));  // it is gone: passed over
  collection.switch_to_next();
  EXPECT_EQ(collection.size(), 20U);
  EXPECT_EQ(collection.search(std::vector<float>(kNew, 1), {.top_k = 100}).size(), 20U);
}

TEST_F(CollectionNext, AnotherModelBeginsAnewAndTheSameIsRefused) {
  Collection collection = writer();
  add(collection, "a", 5);
  EXPECT_EQ(error_of([&] { collection.begin_next({"mini", "3f2a", kOld}); }).first, Kind::kInput);
  EXPECT_EQ(error_of([&] { collection.begin_next({"wide", "x", 0}); }).first, Kind::kInput);
  collection.begin_next(kBig);
  fill(collection);
  collection.begin_next({"third", "99", 2});
  EXPECT_EQ(collection.next_missing(100).size(), 5U);
  collection.drop_next();
  EXPECT_FALSE(collection.next());
  EXPECT_THROW(collection.switch_to_next(), Error);
  EXPECT_EQ(collection.search(std::vector<float>(kOld, 1), {}).size(), 5U);
}

TEST_F(CollectionNext, NextVectorsWithNanAreRefused) {
  Collection collection = writer();
  add(collection, "a", 2);
  collection.begin_next(kBig);
  Matrix bad(2, kNew);
  bad.row(1)[3] = NAN;
  EXPECT_EQ(error_of([&] { collection.put_next(std::vector<std::int64_t>{1, 2}, bad); }).first,
            Kind::kInput);
  EXPECT_EQ(collection.next_missing(100).size(), 2U);
}

// There and back: the first model's graph must not be taken for the third state's.
TEST_F(CollectionNext, TheGraphIsBuiltAnewAfterEachSwitch) {
  Collection collection = writer();
  add(collection, "a", 400);
  const GraphOptions options{.minimum_rows = 100};
  EXPECT_EQ(collection.update_graph(options).done, GraphReport::Done::kBuilt);
  collection.begin_next(kBig);
  fill(collection, 100);
  collection.switch_to_next();
  collection.begin_next({"mini", "3f2a", kOld});
  const auto ids = collection.next_missing(1'000);
  collection.put_next(ids, random_units(rng_, ids.size(), kOld));
  collection.switch_to_next();
  const auto query = random_unit(rng_, kOld);
  const auto exact = collection.search(query, {.graph_rows = 1'000'000});
  const auto same = [&] {
    const auto hits = collection.search(query, {.graph_rows = 100});
    ASSERT_EQ(hits.size(), exact.size());
    for (std::size_t i = 0; i < hits.size(); ++i) EXPECT_EQ(hits[i].id, exact[i].id);
  };
  same();
  EXPECT_EQ(collection.update_graph(options).done, GraphReport::Done::kBuilt);
  same();
}

TEST_F(CollectionNext, SearchesGoOnWhileItIsFilledAndSwitched) {
  Collection collection = writer();
  add(collection, "a", 200);
  const Collection beside = reader();
  const auto query = random_unit(rng_, kOld);
  const auto before = beside.search(query, {.top_k = 5});
  std::atomic<int> answered = 0;
  std::atomic<bool> refused = false;
  std::vector<std::jthread> searchers;
  for (int t = 0; t < 3; ++t) {
    searchers.emplace_back([&] {
      while (!refused) {
        try {
          const auto hits = beside.search(query, {.top_k = 5});
          ASSERT_EQ(hits.size(), before.size());
          for (std::size_t i = 0; i < hits.size(); ++i) ASSERT_EQ(hits[i].id, before[i].id);
          ++answered;
        } catch (const Error& error) {
          EXPECT_THAT(error.what(), HasSubstr("is now of big"));
          refused = true;
        }
      }
    });
  }
  collection.begin_next(kBig);
  fill(collection, 20);
  while (answered < 10) std::this_thread::yield();
  collection.switch_to_next();
  searchers.clear();
  EXPECT_TRUE(refused);
}

}  // namespace
}  // namespace tandem
