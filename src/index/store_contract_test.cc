// Databases that cannot be installed with the tests, against stand-ins that check every request by
// the published contract (tests/servers/stand_in_*.py).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <map>

#include "core/error.h"
#include "index/store_conformance.h"

namespace tandem {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

const std::string& server(const std::string& kind) {
  static std::map<std::string, std::unique_ptr<TestServer>> running;
  auto& one = running[kind];
  if (one == nullptr) one = std::make_unique<TestServer>(kind);
  return one->location();
}

// With a key, which decides how the stand-in behaves.
std::string with_key(const std::string& kind, const std::string& key) {
  auto location = server(kind);
  return location.insert(location.find("://") + 3, key + "@");
}

StoreCase store_case(const std::string& kind) {
  return {kind, [kind](const std::string& name, OpenMode mode, const StoreMeta& asked) {
            return open_store(server(kind) + name, mode, asked);
          }};
}

INSTANTIATE_TEST_SUITE_P(Contract, StoreConformance,
                         ::testing::Values(store_case("qdrant"), store_case("milvus"),
                                           store_case("elasticsearch"), store_case("opensearch")),
                         [](const auto& one) { return one.param.name; });

class Contract : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Contract, Contract,
                         ::testing::Values("qdrant", "milvus", "elasticsearch", "opensearch"),
                         [](const auto& one) { return std::string(one.param); });

const StoreMeta kMeta = {"mini", "f", 4};

TEST_P(Contract, WaitsForABusyServer) {
  auto store = open_store(with_key(GetParam(), "busy") + "busy", OpenMode::kWrite, kMeta);
  store->upsert(varied_items(5), random_rows(5, 4, 1));
  EXPECT_EQ(store->size(), 5U);
}

TEST_P(Contract, KeysThatAreRefusedStayInNoMessage) {
  try {
    open_store(with_key(GetParam(), "wrong") + "keys", OpenMode::kWrite, kMeta);
    ADD_FAILURE() << "the key was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::kInput);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("does not let us in"), HasSubstr("***"), Not(HasSubstr("wrong"))));
  }
}

TEST_P(Contract, WhatItsIndexLeavesOutIsFound) {
  auto store = open_store(with_key(GetParam(), "lossy") + "lossy", OpenMode::kWrite, kMeta);
  store->upsert(varied_items(60), random_rows(60, 4, 1));
  const auto query = random_rows(1, 4, 2);
  EXPECT_THAT(store->search(query.row(0), {.top_k = 10}), SizeIs(10));
  EXPECT_THAT(store->search(query.row(0), {.top_k = 100}), SizeIs(60));
  const auto filter = parse_item_filter(std::string_view(R"({"caption": {"contains": "DOG"}})"));
  EXPECT_THAT(store->search(query.row(0), {.top_k = 12, .filter = filter}), SizeIs(12));
}

// Whatever a server answers is an answer or an Error, never another exception.
TEST_P(Contract, OddAnswersAreErrors) {
  const std::string kind = GetParam();
  auto good = open_store(server(kind) + "odd", OpenMode::kWrite, kMeta);
  good->upsert(varied_items(8), random_rows(8, 4, 1));
  good->set_note("card", "x");
  const auto ids = good->sample(8);
  const auto row = random_rows(1, 4, 2);
  int errors = 0;
  const auto tried = [&errors](const auto& call) {
    try {
      call();
    } catch (const Error& error) {
      ++errors;
    }
  };
  for (int i = 0; i < 60; ++i) {
    std::unique_ptr<Store> store;
    tried([&] { store = open_store(with_key(kind, "odd") + "odd", OpenMode::kRead, {}); });
    if (store == nullptr) continue;
    tried([&] { store->search(row.row(0), {.top_k = 3}); });
    tried([&] { store->list(std::nullopt, 0, 5); });
    tried([&] { store->vectors(ids); });
    tried([&] { store->note("card"); });
    tried([&] { store->describe(); });
    tried([&] { store->upsert(varied_items(2), random_rows(2, 4, 1)); });
    tried([&] { store->remove(std::vector<std::int64_t>{1}); });
  }
  EXPECT_GT(errors, 10);
}

TEST_P(Contract, CollectionsOfOthersAreLeftAlone) {
  const std::string kind = GetParam();
  const auto message = [](const std::string& location) -> std::string {
    try {
      open_store(location, OpenMode::kWrite, kMeta);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message(kind + "://127.0.0.1:1/pictures"), HasSubstr("127.0.0.1:1/pictures: "));
  EXPECT_THAT(message(kind + "://127.0.0.1/"), HasSubstr("is named"));
  EXPECT_THAT(message(kind + "://127.0.0.1/a?colour=red"), HasSubstr("unknown option colour"));
}

TEST(Elasticsearch, SaysHowManyOfABulkWereRefused) {
  auto store = open_store(server("elasticsearch") + "partial", OpenMode::kWrite, kMeta);
  const auto items = varied_items(3);
  auto rows = random_rows(3, 4, 1);
  for (auto& value : rows.row(1)) value = 0;  // cosine knows no rows of zeros
  try {
    store->upsert(items, rows);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::kInput);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("refused 1 of 3 items"), HasSubstr("zero magnitude")));
  }
  EXPECT_EQ(store->size(), 2U);
  auto busy = items;
  busy[0].caption = "too many";
  try {
    store->upsert(std::span(busy).first(1), random_rows(1, 4, 1));
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::kNetwork);
  }
}

}  // namespace
}  // namespace tandem
