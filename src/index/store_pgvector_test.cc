// Against PostgreSQL with pgvector of tools/deps/servers.txt, started here.
#include "index/store_pgvector.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/error.h"
#include "index/postgres.h"
#include "index/store_conformance.h"

namespace tandem {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

const std::string& server() {
  static const TestServer running("pgvector");
  return running.location();
}

std::unique_ptr<Store> open_table(const std::string& table, OpenMode mode, const StoreMeta& asked,
                                  const std::string& more = "") {
  return open_store(server() + "&table=" + table + more, mode, asked);
}

PgConnection other_connection() {
  const auto at = parse_store_location(server());
  return PgConnection({{"host", at.options.at("host")}, {"user", "tandem"}, {"dbname", "postgres"}},
                      "test");
}

INSTANTIATE_TEST_SUITE_P(Pgvector, StoreConformance,
                         ::testing::Values(StoreCase{
                             "pgvector",
                             [](const std::string& name, OpenMode mode, const StoreMeta& asked) {
                               return open_table(name, mode, asked);
                             }}));

TEST(Pgvector, SaysWhatItIs) {
  const auto store = open_table("says", OpenMode::kWrite, {"mini", "f", 4});
  EXPECT_THAT(store->describe(),
              AllOf(HasSubstr("PostgreSQL 1"), HasSubstr("pgvector 0.8"), HasSubstr("table says")));
}

TEST(Pgvector, GoesOnWhenItsConnectionIsCut) {
  auto store = open_table("cut", OpenMode::kWrite, {"mini", "f", 4});
  store->upsert(varied_items(5), random_rows(5, 4, 1));
  auto other = other_connection();
  const auto cut = [&other] {
    other.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
        "pg_backend_pid() AND application_name = 'tandem'");
  };
  cut();
  EXPECT_EQ(store->size(), 5U);
  cut();
  store->upsert(varied_items(6), random_rows(6, 4, 1));
  EXPECT_EQ(store->size(), 6U);
}

// The index looks at so many rows near the query and no further; where the filter leaves none of
// those, what is far must be found all the same.
TEST(Pgvector, AnIndexNeverMakesItUnderReturn) {
  constexpr std::size_t kRows = 6'000;
  auto store = open_table("under", OpenMode::kWrite, {"mini", "f", 8}, "&index_rows=5000");
  auto items = varied_items(kRows);
  auto rows = random_rows(kRows, 8, 1);
  const std::vector<float> query = {1, 0, 0, 0, 0, 0, 0, 0};
  for (std::size_t i = 0; i < kRows; ++i) {
    items[i].metadata_json = "{}";
    if (rows.row(i)[0] < -0.75F) items[i].metadata_json = R"({"far":true})";
  }
  std::size_t far = 0;
  for (const auto& item : items) far += item.metadata_json == "{}" ? 0 : 1;
  ASSERT_GT(far, 10U);
  store->upsert(items, rows);
  auto other = other_connection();
  EXPECT_EQ(other
                .query("SELECT 1 FROM pg_indexes WHERE tablename = 'under' AND indexdef LIKE "
                       "'%hnsw%'")
                .rows(),
            1);
  // So that the index is what the planner likes best.
  other.execute(
      "ANALYZE under; ALTER ROLE tandem SET hnsw.max_scan_tuples = 100; "
      "ALTER ROLE tandem SET enable_seqscan = off");
  store = open_table("under", OpenMode::kRead, {});
  const auto filter = parse_item_filter(std::string_view(R"({"metadata.far": true})"));
  EXPECT_THAT(store->search(query, {.top_k = 10, .filter = filter}), SizeIs(10));
  EXPECT_THAT(store->search(query, {.top_k = far + 5, .filter = filter}), SizeIs(far));
  EXPECT_THAT(store->search(query, {.top_k = kRows + 5}), SizeIs(kRows));
  const auto hits = store->search(query, {.top_k = 10});
  ASSERT_THAT(hits, SizeIs(10));
  other.execute("ALTER ROLE tandem RESET ALL");
}

TEST(Pgvector, ErrorsSayWhatToDoAndKeepThePasswordToThemselves) {
  const auto message = [](const std::string& location, Kind kind) -> std::string {
    try {
      open_store(location, OpenMode::kWrite, {"mini", "f", 4});
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return "";
  };
  EXPECT_THAT(message("pgvector://me:s3cret@127.0.0.1:1/pictures", Kind::kNetwork),
              AllOf(HasSubstr("pgvector://127.0.0.1:1/pictures: cannot connect"),
                    Not(HasSubstr("s3cret"))));
  const auto at = parse_store_location(server());
  EXPECT_THAT(
      message("pgvector://tandem:s3cret@/nowhere?host=" + at.options.at("host"), Kind::kInput),
      AllOf(HasSubstr("database \"nowhere\" does not exist"), Not(HasSubstr("s3cret"))));
  EXPECT_THAT(message(server() + "&table=a;b", Kind::kInput), HasSubstr("lower-case letters"));
  EXPECT_THAT(message(server() + "&colour=red", Kind::kInput), HasSubstr("colour"));
}

}  // namespace
}  // namespace tandem
