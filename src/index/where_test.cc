#include "index/where.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "index/schema.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

class Where : public ::testing::Test {
 protected:
  Where() {
    std::string pattern = (fs::temp_directory_path() / "tandem_where_XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    Database writer(dir_ / "items.sqlite", Database::Mode::kWrite);
    create_schema(writer, {"mini", "f", 4});
    writer.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
        "INSERT INTO items SELECT i, 'p/' || i, 'h', i * 10, 0, i, i, 'cat ' || i, "
        "json_object('n', i, 'tags', json_array('t' || (i % 3))), 'picture'"
        " FROM n");
    reader_ = std::make_unique<Database>(dir_ / "items.sqlite", Database::Mode::kRead);
  }
  ~Where() override { fs::remove_all(dir_); }
  std::vector<std::int64_t> ids(const std::string& condition, int timeout_ms = 20'000) {
    return matching_ids(*reader_, condition, timeout_ms);
  }
  std::string refusal(const std::string& condition, int timeout_ms = 20'000) {
    try {
      ids(condition, timeout_ms);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Kind::kInput) << e.what();
      return e.what();
    }
    return "accepted";
  }
  fs::path dir_;
  std::unique_ptr<Database> reader_;
};

using Ids = std::vector<std::int64_t>;

TEST_F(Where, UnderstandsOrdinaryConditions) {
  EXPECT_EQ(ids("width <= 2 OR uri = 'p/7'"), (Ids{1, 2, 7}));
  EXPECT_EQ(ids("caption LIKE 'CAT 30%' AND id != 30"), Ids{300});
  EXPECT_EQ(ids("metadata->>'$.n' = 12"), Ids{12});
  EXPECT_EQ(ids("json_extract(metadata, '$.n') BETWEEN 1 AND 2"), (Ids{1, 2}));
  EXPECT_EQ(
      ids("id < 7 AND EXISTS (SELECT 1 FROM json_each(metadata, '$.tags') WHERE value = 't0')"),
      (Ids{3, 6}));
  EXPECT_EQ(ids("id = (SELECT max(id) FROM items)"), Ids{300});
  EXPECT_EQ(ids("length(uri) = 3 AND substr(uri, 3) = '5'"), Ids{5});
  EXPECT_EQ(ids("1").size(), 300U);
}

TEST_F(Where, SaysWhatIsWrongAndNamesTheColumns) {
  const std::string text = refusal("widht > 5");
  EXPECT_NE(text.find("no such column: widht"), std::string::npos) << text;
  EXPECT_NE(text.find("Expected SQL over id, kind, uri"), std::string::npos) << text;
  EXPECT_NE(refusal("width >").find("syntax error"), std::string::npos);
  EXPECT_NE(refusal("caption = \"cat\"").find("no such column"), std::string::npos)
      << "a text needs single quotes";
}

TEST_F(Where, ReadsNothingButTheItemsAndChangesNothing) {
  for (const char* hostile :
       {"1) UNION SELECT value FROM meta --", "id IN (SELECT id FROM vectors)",
        "id IN (SELECT rowid FROM sqlite_schema)", "1); DELETE FROM items; --",
        "1); ATTACH '/tmp/x' AS y; --", "load_extension('x')", "randomblob(1000000000) = 1",
        "writefile('/tmp/x', 'y')", "id IN (SELECT * FROM pragma_database_list)",
        "zeroblob(1e9) = 1",
        "id IN (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n)",
        "last_insert_rowid() = 0", "printf('%1000000000d', 1) = 'x'", "fts3_tokenizer('x') = 1",
        "1; SELECT 1", "id) FROM items; --"}) {
    EXPECT_NE(refusal(hostile), "accepted") << hostile;
  }
  EXPECT_EQ(ids("1").size(), 300U);
}

TEST_F(Where, AStatementThatTakesTooLongIsStopped) {
  const std::string slow =
      "(SELECT count(*) FROM items a, items b, items c, items d WHERE a.id + b.id = c.id * d.id) > "
      "0";
  EXPECT_NE(refusal(slow, 50).find("took longer than 50 ms"), std::string::npos);
  EXPECT_EQ(ids("id = 1"), Ids{1}) << "and the next one runs";
}

TEST_F(Where, OtherStatementsAreFreeAgainAfterwards) {
  refusal("id IN (SELECT id FROM vectors)");
  EXPECT_EQ(reader_->integer("SELECT count(*) FROM meta"), 5);
}

TEST_F(Where, RefusesDeepAndLongConditions) {
  EXPECT_NE(refusal(std::string(5'000, '(') + "1" + std::string(5'000, ')')), "accepted");
  EXPECT_NE(refusal("1 /*" + std::string(100'000, 'x') + "*/"), "accepted");
  EXPECT_NE(refusal(std::string("1\0 OR 1", 8)), "accepted");
}

}  // namespace
}  // namespace tandem
