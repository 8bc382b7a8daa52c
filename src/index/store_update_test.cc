// Store::update(), as collections do it and as it is without their help.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <unistd.h>

#include "index/collection.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

class StoreUpdate : public ::testing::TestWithParam<bool> {
 protected:
  StoreUpdate() {
    std::string pattern = (fs::temp_directory_path() / "tandem_update_XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    store_ = std::make_unique<Collection>(
        Collection::open(root_ / "c.tandem", OpenMode::kWrite, "mini", "3f2a", 2));
    std::vector<Item> items(3);
    Matrix vectors(3, 2);
    for (std::size_t i = 0; i < 3; ++i) {
      items[i].uri = std::string(1, static_cast<char>('a' + i));
      items[i].sha256 = "hash " + items[i].uri;
      items[i].caption = "caption " + items[i].uri;
      vectors.row(i)[i % 2] = i < 2 ? 1 : -1;
    }
    store_->upsert(items, vectors);
  }
  ~StoreUpdate() override { fs::remove_all(root_); }

  // As a collection does it, or as any store does.
  void update(const std::vector<Item>& items) {
    GetParam() ? store_->update(items) : store_->Store::update(items);
  }
  std::map<std::string, Item> by_uri() const {
    std::vector<std::int64_t> ids;
    store_->each_known([&](const KnownItem& row) { ids.push_back(row.id); });
    std::map<std::string, Item> all;
    for (auto& item : store_->items(ids)) all[item.uri] = item;
    return all;
  }
  // "a=hash a" for each, with the vector as its numbers.
  std::vector<std::string> content() const {
    std::vector<std::string> out;
    for (const auto& [uri, item] : by_uri()) {
      const auto vector = store_->vectors(std::span(&item.id, 1));
      out.push_back(uri + "=" + item.sha256 + " " +
                    std::to_string(static_cast<int>(vector.values[0])) +
                    std::to_string(static_cast<int>(vector.values[1])));
    }
    return out;
  }
  fs::path root_;
  std::unique_ptr<Collection> store_;
};

TEST_P(StoreUpdate, ARenamedItemKeepsItsVector) {
  auto a = by_uri().at("a");
  const auto id = a.id;
  a.uri = "new";
  a.caption = "other words";
  update({a});
  EXPECT_THAT(content(), testing::ElementsAre("b=hash b 01", "c=hash c -10", "new=hash a 10"));
  EXPECT_EQ(by_uri().at("new").caption, "other words");
  if (GetParam()) EXPECT_EQ(by_uri().at("new").id, id);
  EXPECT_EQ(store_->size(), 3U);
}

TEST_P(StoreUpdate, NamesMayGoRound) {
  auto all = by_uri();
  all.at("a").uri = "b";
  all.at("b").uri = "c";
  all.at("c").uri = "a";
  update({all.at("a"), all.at("b"), all.at("c")});
  EXPECT_THAT(content(), testing::ElementsAre("a=hash c -10", "b=hash a 10", "c=hash b 01"));
}

TEST_P(StoreUpdate, WhatHadTheNameGoes) {
  auto a = by_uri().at("a");
  a.uri = "c";
  update({a});
  EXPECT_THAT(content(), testing::ElementsAre("b=hash b 01", "c=hash a 10"));
  EXPECT_EQ(store_->size(), 2U);
}

TEST_P(StoreUpdate, IdsThatDoNotExistArePassedOver) {
  Item nobody;
  nobody.id = 99;
  nobody.uri = "z";
  update({nobody});
  update({});
  EXPECT_EQ(store_->size(), 3U);
}

INSTANTIATE_TEST_SUITE_P(, StoreUpdate, testing::Values(true, false),
                         [](const auto& info) { return info.param ? "Collection" : "AnyStore"; });

}  // namespace
}  // namespace tandem
