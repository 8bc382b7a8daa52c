#include "index/collection.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <thread>
#include <unistd.h>

#include "core/error.h"
#include "core/files.h"
#include "core/rng.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kWidth = 4;

class CollectionTest : public ::testing::Test {
 protected:
  CollectionTest() {
    std::string pattern = (fs::temp_directory_path() / "tandem_collection_XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    dir_ = root_ / "pics.tandem";
  }
  ~CollectionTest() override { fs::remove_all(root_); }

  Collection writer() { return Collection::open(dir_, OpenMode::kWrite, "mini", "3f2a", kWidth); }
  Collection reader() { return Collection::open(dir_, OpenMode::kRead, "", "", 0); }
  void run_sql(const char* sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((dir_ / "items.sqlite").c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
  fs::path root_;
  fs::path dir_;
};

Item item(const std::string& uri, int width = 100) {
  Item result;
  result.uri = uri;
  result.sha256 = "hash of " + uri;
  result.size_bytes = 12;
  result.mtime_ns = 34;
  result.width = width;
  result.height = 50;
  result.caption = "caption of " + uri;
  return result;
}

Matrix rows(std::initializer_list<std::array<float, kWidth>> values) {
  Matrix matrix(values.size(), kWidth);
  std::size_t i = 0;
  for (const auto& row : values) std::copy(row.begin(), row.end(), matrix.row(i++).begin());
  return matrix;
}

std::vector<std::string> uris(const std::vector<Hit>& hits) {
  std::vector<std::string> result;
  for (const Hit& hit : hits) result.push_back(hit.uri);
  return result;
}

template <typename Body>
std::pair<Kind, std::string> error_of(Body body) {
  try {
    body();
  } catch (const Error& e) {
    return {e.kind(), e.what()};
  }
  return {Kind::kInternal, "nothing thrown"};
}

const std::vector<float> kEast = {1, 0, 0, 0};

void add_three(Collection& collection) {
  const std::vector<Item> items = {item("p/a.jpg", 100), item("p/b.jpg", 600),
                                   item("q/c.jpg", 700)};
  collection.upsert(items, rows({{1, 0, 0, 0}, {0.6F, 0.8F, 0, 0}, {0, 1, 0, 0}}));
}

TEST_F(CollectionTest, FindsTheNearestFirstAndTellsWhatItKnows) {
  Collection collection = writer();
  add_three(collection);
  const auto hits = collection.search(kEast, {.top_k = 2});
  EXPECT_THAT(uris(hits), ElementsAre("p/a.jpg", "p/b.jpg"));
  EXPECT_FLOAT_EQ(hits[0].score, 1.0F);
  EXPECT_NEAR(hits[1].score, 0.6F, 0x1p-11);  // half precision
  EXPECT_EQ(hits[1].caption, "caption of p/b.jpg");
  EXPECT_EQ(collection.size(), 3U);
  EXPECT_EQ(collection.search(kEast, {.top_k = 100}).size(), 3U);
  EXPECT_EQ(collection.search(kEast, {.top_k = 0}).size(), 0U);
}

TEST_F(CollectionTest, EqualScoresComeInOrderOfId) {
  Collection collection = writer();
  std::vector<Item> items;
  Matrix vectors(20, kWidth);
  for (int i = 0; i < 20; ++i) {
    items.push_back(item("f" + std::to_string(19 - i)));
    vectors.row(static_cast<std::size_t>(i))[0] = 1;
  }
  collection.upsert(items, vectors);
  const auto hits = collection.search(kEast, {.top_k = 5});
  EXPECT_THAT(uris(hits), ElementsAre("f19", "f18", "f17", "f16", "f15"));
}

TEST_F(CollectionTest, EveryColumnComesBack) {
  Collection collection = writer();
  Item original = item("ü/\"odd\".jpg", 640);
  original.size_bytes = 5'000'000'000;
  original.mtime_ns = 1'700'000'000'123'456'789;
  original.metadata_json = R"({"tag":"x"})";
  collection.upsert(std::span(&original, 1), rows({{1, 0, 0, 0}}));
  for (const auto& found :
       {collection.find_uri(original.uri), collection.find_content(original.sha256)}) {
    ASSERT_TRUE(found);
    EXPECT_GT(found->id, 0);
    EXPECT_EQ(found->uri, original.uri);
    EXPECT_EQ(found->sha256, original.sha256);
    EXPECT_EQ(found->size_bytes, original.size_bytes);
    EXPECT_EQ(found->mtime_ns, original.mtime_ns);
    EXPECT_EQ(found->width, 640);
    EXPECT_EQ(found->height, 50);
    EXPECT_EQ(found->caption, original.caption);
    EXPECT_EQ(found->metadata_json, original.metadata_json);
  }
  EXPECT_FALSE(collection.find_uri("none"));
  EXPECT_FALSE(collection.find_content("none"));
}

TEST_F(CollectionTest, UpsertReplacesByUriAndKeepsTheId) {
  Collection collection = writer();
  add_three(collection);
  const std::int64_t id = collection.find_uri("p/a.jpg")->id;
  const Item again = item("p/a.jpg", 999);
  collection.upsert(std::span(&again, 1), rows({{0, 0, 1, 0}}));
  EXPECT_EQ(collection.size(), 3U);
  EXPECT_EQ(collection.find_uri("p/a.jpg")->id, id);
  EXPECT_EQ(collection.find_uri("p/a.jpg")->width, 999);
  EXPECT_THAT(uris(collection.search(kEast, {.top_k = 1})), ElementsAre("p/b.jpg"));
}

TEST_F(CollectionTest, ACopyTakesOverTheVector) {
  Collection collection = writer();
  add_three(collection);
  collection.upsert_same_content(item("copy.jpg"), collection.find_uri("p/a.jpg")->id);
  EXPECT_THAT(uris(collection.search(kEast, {.top_k = 2})), ElementsAre("p/a.jpg", "copy.jpg"));
  EXPECT_EQ(error_of([&] { collection.upsert_same_content(item("x"), 12345); }).first,
            Kind::kNotFound);
  EXPECT_FALSE(collection.find_uri("x"));
}

TEST_F(CollectionTest, RemovesWhatIsGoneBelowTheRootsOnly) {
  Collection collection = writer();
  const std::vector<Item> items = {item("p/a.jpg"), item("p/b.jpg"), item("p2/c.jpg"),
                                   item("./d.jpg"), item("p")};
  collection.upsert(items, Matrix(5, kWidth));
  EXPECT_EQ(collection.remove_missing({"p/"}, {"p/a.jpg"}),
            2U);  // p/b.jpg and p itself; p2 only begins alike
  EXPECT_EQ(collection.size(), 3U);
  EXPECT_TRUE(collection.find_uri("p2/c.jpg"));
  EXPECT_EQ(collection.remove_missing({"."}, {}), 1U);
  EXPECT_EQ(collection.remove_missing({}, {}), 0U);
  EXPECT_EQ(collection.search(kEast, {}).size(), 2U) << "their vectors are gone too";
}

TEST_F(CollectionTest, ConditionsNarrowTheSearchAndNeverUnderReturn) {
  Collection collection = writer();
  add_three(collection);
  EXPECT_THAT(uris(collection.search(kEast, {.top_k = 2, .where = "width > 500"})),
              ElementsAre("p/b.jpg", "q/c.jpg"));
  EXPECT_THAT(uris(collection.search(kEast, {.where = "uri LIKE 'q/%' -- remark"})),
              ElementsAre("q/c.jpg"));
  EXPECT_TRUE(collection.search(kEast, {.where = "width > 5000"}).empty());
}

TEST_F(CollectionTest, RowsWithNanOrInfinityAreRefusedAndNothingOfTheBatchIsKept) {
  Collection collection = writer();
  for (const float bad : {NAN, INFINITY}) {
    const std::vector<Item> items = {item("a"), item("b")};
    EXPECT_EQ(
        error_of([&] { collection.upsert(items, rows({{1, 0, 0, 0}, {0, bad, 0, 0}})); }).first,
        Kind::kInput);
  }
  EXPECT_EQ(collection.size(), 0U);
  EXPECT_EQ(error_of([&] { collection.search(std::vector<float>{NAN, 0, 0, 0}, {}); }).first,
            Kind::kInput);
  EXPECT_EQ(error_of([&] { collection.search(std::vector<float>{1, 0}, {}); }).first, Kind::kInput);
}

TEST_F(CollectionTest, StaysAfterReopeningAndReadersSeeCommitsBesideTheWriter) {
  {
    Collection collection = writer();
    add_three(collection);
  }
  Collection collection = writer();
  Collection beside = reader();
  EXPECT_EQ(beside.size(), 3U);
  EXPECT_EQ(beside.model_name(), "mini");
  EXPECT_EQ(beside.fingerprint(), "3f2a");
  EXPECT_EQ(beside.width(), kWidth);
  EXPECT_THAT(uris(beside.search(kEast, {.top_k = 1})), ElementsAre("p/a.jpg"));
  const Item better = item("better.jpg");
  collection.remove_missing({"p/a.jpg"}, {});
  collection.upsert(std::span(&better, 1), rows({{0.9F, 0, 0, 0}}));
  EXPECT_THAT(uris(beside.search(kEast, {.top_k = 1})), ElementsAre("better.jpg"));
  const Item read_only = item("x");
  EXPECT_THROW(beside.upsert(std::span(&read_only, 1), rows({{1, 0, 0, 0}})), Error);
}

TEST_F(CollectionTest, ASecondWriterIsRefusedUntilTheFirstIsDone) {
  auto first = std::make_unique<Collection>(writer());
  const auto [kind, text] = error_of([&] { writer(); });
  EXPECT_EQ(kind, Kind::kIo);
  EXPECT_THAT(text, HasSubstr("another process is writing"));
  first.reset();
  EXPECT_NO_THROW(writer());
}

TEST_F(CollectionTest, AnotherModelIsRefusedAndBothAreNamed) {
  writer();
  for (const OpenMode mode : {OpenMode::kRead, OpenMode::kWrite}) {
    const auto [kind, text] =
        error_of([&] { Collection::open(dir_, mode, "vit-b-32", "beef", kWidth); });
    EXPECT_EQ(kind, Kind::kInput);
    EXPECT_THAT(text,
                HasSubstr("made with mini 3f2a (width 4), asked with vit-b-32 beef (width 4)"));
  }
  EXPECT_EQ(error_of([&] { Collection::open(dir_, OpenMode::kRead, "mini", "3f2a", 8); }).first,
            Kind::kInput);
}

TEST_F(CollectionTest, WhatIsNotACollectionIsRefusedWithOneClearLine) {
  EXPECT_EQ(error_of([&] { reader(); }).first, Kind::kNotFound);
  fs::create_directories(dir_);
  write_file_atomically(dir_ / "holiday.jpg", "x");
  EXPECT_EQ(error_of([&] { writer(); }).first, Kind::kInput)
      << "a folder of pictures must not become a collection";
  fs::remove(dir_ / "holiday.jpg");
  for (const std::string& content :
       {std::string(""), std::string("hello"), std::string(5000, 'x')}) {
    write_file_atomically(dir_ / "items.sqlite", content);
    const auto [kind, text] = error_of([&] { reader(); });
    EXPECT_EQ(kind, Kind::kCorrupt) << content.size();
    EXPECT_THAT(text, HasSubstr("items.sqlite"));
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
  fs::remove(dir_ / "items.sqlite");
  run_sql("CREATE TABLE items(id INTEGER PRIMARY KEY, uri TEXT)");
  EXPECT_EQ(error_of([&] { reader(); }).first, Kind::kCorrupt) << "another program's database";
  EXPECT_EQ(error_of([&] { writer(); }).first, Kind::kCorrupt);
}

TEST_F(CollectionTest, TriggersViewsAndNewerVersionsAreRefused) {
  writer();
  run_sql("CREATE TRIGGER t AFTER DELETE ON items BEGIN DELETE FROM meta; END");
  EXPECT_EQ(error_of([&] { writer(); }).first, Kind::kCorrupt);
  run_sql("DROP TRIGGER t; PRAGMA user_version = 4");
  EXPECT_EQ(error_of([&] { reader(); }).first, Kind::kUnsupported);
}

TEST_F(CollectionTest, ADamagedVectorIsReportedNotSearched) {
  {
    Collection collection = writer();
    add_three(collection);
  }
  run_sql("UPDATE vectors SET vector = x'0000000000000000' WHERE id = 2");
  EXPECT_EQ(error_of([&] { reader().search(kEast, {}); }).first, Kind::kCorrupt);
  run_sql("UPDATE vectors SET vector = x'00' WHERE id = 2");
  EXPECT_EQ(error_of([&] { reader().search(kEast, {}); }).first, Kind::kCorrupt);
}

TEST_F(CollectionTest, AVectorWhoseItemIsMissingIsReported) {
  {
    Collection collection = writer();
    add_three(collection);
  }
  run_sql("PRAGMA foreign_keys = OFF; DELETE FROM items WHERE id = 1");
  EXPECT_EQ(error_of([&] { reader().search(kEast, {}); }).first, Kind::kCorrupt);
  EXPECT_THAT(uris(reader().search(kEast, {.where = "id > 1"})), ElementsAre("p/b.jpg", "q/c.jpg"));
}

// Truncations and flipped bytes anywhere in the file: an error or the right answer, never a crash
// or another vector.
TEST_F(CollectionTest, DamageToTheFileIsAnErrorOrHarmless) {
  {
    Collection collection = writer();
    add_three(collection);
  }
  const auto whole = read_file(dir_ / "items.sqlite");
  Rng rng(1);
  int refused = 0;
  for (int i = 0; i < 200; ++i) {
    auto damaged = whole;
    if (i % 4 == 0) {
      damaged.resize(rng.below(whole.size()));
    } else {
      damaged[rng.below(damaged.size())] ^= static_cast<std::byte>(1 + rng.below(255));
    }
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    write_file_atomically(dir_ / "items.sqlite",
                          {reinterpret_cast<const char*>(damaged.data()), damaged.size()});
    try {
      const auto hits = reader().search(kEast, {});
      for (std::size_t h = 1; h < hits.size(); ++h) EXPECT_GE(hits[h - 1].score, hits[h].score);
      for (const Hit& hit : hits)
        EXPECT_TRUE(hit.score == 1.0F || std::abs(hit.score - 0.6F) < 0.001F || hit.score == 0);
    } catch (const Error& e) {
      EXPECT_NE(e.kind(), Kind::kInternal) << e.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 40);
}

TEST_F(CollectionTest, SearchesFromManyThreadsWhileTheWriterWorks) {
  Collection collection = writer();
  add_three(collection);
  {
    std::vector<std::jthread> searchers;
    for (int t = 0; t < 3; ++t) {
      searchers.emplace_back([&] {
        for (int i = 0; i < 200; ++i)
          EXPECT_EQ(collection.search(kEast, {.top_k = 1}).at(0).score, 1.0F);
      });
    }
    for (int i = 0; i < 20; ++i) {
      const Item more = item("more" + std::to_string(i));
      collection.upsert(std::span(&more, 1), rows({{0, 0, 0, 1}}));
    }
  }
  EXPECT_EQ(collection.size(), 23U);
}

}  // namespace
}  // namespace tandem
