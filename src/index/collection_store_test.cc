// A collection as a Store, and what older ones become.
#include <gmock/gmock.h>
#include <set>

#include "index/test_collection.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::string_view_literals;

constexpr int kWidth = 4;

class CollectionStore : public ::testing::Test {
 protected:
  CollectionStore() : dir_(folder_.path() / "c.tandem") {}
  // Opened apart from the databases (stores.cc), which this room's tests do not link.
  std::unique_ptr<Store> opened(OpenMode mode) {
    return std::make_unique<Collection>(Collection::open(dir_, mode, "mini", "3f2a", kWidth));
  }
  std::unique_ptr<Store> writer() { return opened(OpenMode::kWrite); }
  void add(Store& store, const std::string& prefix, std::size_t count) {
    store.upsert(numbered_items(prefix, count), random_units(rng_, count, kWidth));
  }
  Rng rng_{11};
  TestFolder folder_;
  std::filesystem::path dir_;
};

using Ids = std::vector<std::int64_t>;

TEST_F(CollectionStore, IsNotMadeByReadingAndDescribesItself) {
  EXPECT_EQ(error_of([&] { opened(OpenMode::kRead); }).first, Kind::kNotFound);
  EXPECT_THAT(writer()->describe(), HasSubstr("c.tandem"));
}

TEST_F(CollectionStore, GivesBackItemsVectorsAndWhatIsKnown) {
  const auto store = writer();
  auto items = numbered_items("a", 3);
  items[1].kind = ItemKind::kText;
  items[1].caption = "words";
  items[2].metadata_json = "{\"tag\": \"\\u00fc\"}";
  const Matrix vectors = random_units(rng_, 3, kWidth);
  store->upsert(items, vectors);
  const auto found = store->items(Ids{3, 99, 2});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].uri, "a/2");
  EXPECT_EQ(found[0].metadata_json, "{\"tag\":\"ü\"}");
  EXPECT_EQ(found[1].kind, ItemKind::kText);
  EXPECT_EQ(found[1].caption, "words");
  const Matrix back = store->vectors(Ids{2, 1});
  for (std::size_t i = 0; i < kWidth; ++i) {
    EXPECT_NEAR(back.row(0)[i], vectors.row(1)[i], 0x1p-11);
    EXPECT_NEAR(back.row(1)[i], vectors.row(0)[i], 0x1p-11);
  }
  EXPECT_EQ(error_of([&] { store->vectors(Ids{1, 99}); }).first, Kind::kNotFound);
  std::vector<std::string> uris;
  store->each_known([&](const KnownItem& known) {
    uris.push_back(known.uri);
    EXPECT_EQ(known.sha256, items[uris.size() - 1].sha256);
  });
  EXPECT_THAT(uris, ElementsAre("a/0", "a/1", "a/2"));
}

TEST_F(CollectionStore, MetadataMustBeAnObject) {
  const auto store = writer();
  for (const char* bad : {"", "{", "[]", "5", "{\"a\":1,\"a\":2}"}) {
    auto items = numbered_items("a", 2);
    items[1].metadata_json = bad;
    EXPECT_EQ(error_of([&] { store->upsert(items, Matrix(2, kWidth)); }).first, Kind::kInput)
        << bad;
  }
  EXPECT_EQ(store->size(), 0U);
}

TEST_F(CollectionStore, CountsWhatIsAddedReplacedAndRemoved) {
  const auto store = writer();
  add(*store, "a", 10);
  add(*store, "a", 4);
  EXPECT_EQ(store->size(), 10U);
  EXPECT_EQ(store->remove(Ids{1, 2, 2, 99}), 2U);
  EXPECT_EQ(store->remove(Ids{}), 0U);
  EXPECT_EQ(store->size(), 8U);
  add(*store, "a", 2);  // again, with new ids
  EXPECT_EQ(store->size(), 10U);
  EXPECT_EQ(store->search(random_unit(rng_, kWidth), {.top_k = 100}).size(), 10U);
}

TEST_F(CollectionStore, ListsTheNewestFirst) {
  const auto store = writer();
  auto items = numbered_items("a", 6);
  items[4].mtime_ns = items[1].mtime_ns;
  store->upsert(items, random_units(rng_, 6, kWidth));
  EXPECT_EQ(store->list({}, 0, 100), (Ids{6, 4, 3, 2, 5, 1}));
  EXPECT_EQ(store->list({}, 2, 3), (Ids{3, 2, 5}));
  EXPECT_EQ(store->list({}, 0, SIZE_MAX).size(), 6U);
  EXPECT_EQ(store->list({}, 6, 3), Ids{});
  const auto filter = parse_item_filter(R"({"width": {"lt": 3}})"sv);
  EXPECT_EQ(store->list(filter, 0, 2), (Ids{3, 2}));
  EXPECT_EQ(store->list(filter, 2, 2), Ids{1});
}

TEST_F(CollectionStore, SamplesAreSpreadAndTheSameEachTime) {
  const auto store = writer();
  add(*store, "a", 3'000);
  const Ids ids = store->sample(100);
  EXPECT_EQ(ids, store->sample(100));
  EXPECT_EQ(ids.size(), 100U);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_NEAR(ids[i], 30 * i + 15, 31);
  std::set<std::int64_t> steps;
  for (std::size_t i = 1; i < ids.size(); ++i) steps.insert(ids[i] - ids[i - 1]);
  EXPECT_GT(steps.size(), 10U)
      << "not each thirtieth: what repeats at that pace would be all of it";
  EXPECT_EQ(store->sample(5'000).size(), 3'000U);
  // A large gap.
  Ids gone(2'500);
  for (std::size_t i = 0; i < gone.size(); ++i) gone[i] = static_cast<std::int64_t>(i) + 100;
  store->remove(gone);
  const Ids after = store->sample(50);
  EXPECT_EQ(after.size(), 50U);
  EXPECT_EQ(std::set<std::int64_t>(after.begin(), after.end()).size(), 50U);
  EXPECT_EQ(store->sample(0), Ids{});
}

TEST_F(CollectionStore, KeepsNotes) {
  {
    const auto store = writer();
    EXPECT_FALSE(store->note("card"));
    store->set_note("card", "one");
    store->set_note("card", "two");
    store->set_note("calibration", std::string(100'000, 'x'));
    EXPECT_THROW(store->set_note("no such name", ""), Error);
  }
  const auto store = opened(OpenMode::kRead);
  EXPECT_EQ(store->note("card"), "two");
  EXPECT_EQ(store->note("calibration")->size(), 100'000U);
  EXPECT_THROW(store->set_note("card", "three"), Error);
}

TEST_F(CollectionStore, FiltersAndConditionsHoldTogether) {
  const auto store = writer();
  add(*store, "a", 300);
  const auto filter = parse_item_filter(R"({"width": {"gte": 98}})"sv);
  const auto query = random_unit(rng_, kWidth);
  EXPECT_EQ(store->search(query, {.top_k = 100, .filter = filter}).size(), 6U);
  EXPECT_EQ(store->search(query, {.top_k = 100, .filter = filter, .where = "id <= 100"}).size(),
            2U);
  EXPECT_EQ(store->search(query, {.top_k = 100, .where = "id <= 100"}).size(), 100U);
  // Answers to conditions are remembered, but not beyond the next commit, nor mixed up.
  for (int i = 0; i < 40; ++i) {
    const auto one = parse_item_filter(R"({"width": )" + std::to_string(i % 20) + "}");
    EXPECT_EQ(store->search(query, {.top_k = 100, .filter = one}).size(), 3U);
  }
  store->remove(Ids{99, 199});
  EXPECT_EQ(store->search(query, {.top_k = 100, .filter = filter}).size(), 4U);
  add(*store, "b", 100);
  EXPECT_EQ(store->search(query, {.top_k = 100, .filter = filter}).size(), 6U);
}

TEST_F(CollectionStore, ChangedItemsAreSeenByConditionsThatWereRemembered) {
  const auto store = writer();
  add(*store, "a", 3);
  const auto filter = parse_item_filter(R"({"caption": "new"})"sv);
  const auto query = random_unit(rng_, kWidth);
  EXPECT_TRUE(store->search(query, {.filter = filter}).empty());
  auto items = store->items(Ids{2});
  items[0].caption = "new";
  store->update(items);
  EXPECT_EQ(store->search(query, {.filter = filter}).size(), 1U);
}

TEST_F(CollectionStore, ChangingAnItemThatIsGoneChangesNothing) {
  const auto store = writer();
  add(*store, "a", 3);
  auto items = store->items(Ids{2});
  items[0].id = 99;
  items[0].uri = "a/0";
  store->update(items);
  EXPECT_EQ(store->size(), 3U);
  EXPECT_EQ(store->items(Ids{1}).at(0).uri, "a/0");
}

// What version 2 held: no kinds, no count, no next vectors, other indexes.
TEST_F(CollectionStore, AVersion2CollectionIsBroughtUpToDateByAWriter) {
  add(*writer(), "a", 50);
  run_sql(dir_,
          "DELETE FROM meta WHERE key = 'count'; DROP TABLE next_vectors;"
          "DROP INDEX items_by_time; DROP INDEX items_by_content;"
          "CREATE INDEX items_by_content ON items(sha256);"
          "ALTER TABLE items DROP COLUMN kind; PRAGMA user_version = 2");
  EXPECT_EQ(error_of([&] { opened(OpenMode::kRead); }).first, Kind::kUnsupported);
  const auto store = writer();
  EXPECT_EQ(store->size(), 50U);
  EXPECT_EQ(store->items(Ids{7}).at(0).kind, ItemKind::kPicture);
  EXPECT_EQ(store->list({}, 0, 1), Ids{50});
  add(*store, "b", 10);
  EXPECT_EQ(store->size(), 60U);
  EXPECT_EQ(store->search(random_unit(rng_, kWidth), {.top_k = 100}).size(), 60U);
  EXPECT_EQ(opened(OpenMode::kRead)->size(), 60U);
}

}  // namespace
}  // namespace tandem
