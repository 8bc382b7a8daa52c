#include "data/table_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tandem/error.h"

#include "core/files.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using Records = std::vector<std::vector<std::string>>;

Records records(std::string_view text, char separator = ',') {
  Records all;
  each_record(text, separator, "x.csv",
              [&](std::vector<std::string>& cells, std::size_t) { all.push_back(cells); });
  return all;
}

TEST(TableRows, ReadsCsvAsSpreadsheetsWriteIt) {
  EXPECT_EQ(records("a,b\n1,2\n"), (Records{{"a", "b"}, {"1", "2"}}));
  EXPECT_EQ(records("\xEF\xBB\xBF"
                    "a,b\r\n1,\r\n"),
            (Records{{"a", "b"}, {"1", ""}}));
  EXPECT_EQ(records("\"x, \"\"y\"\"\n z\",b"), (Records{{"x, \"y\"\n z", "b"}}));
  EXPECT_EQ(records("a\t\"b\"\tc\n", '\t'), (Records{{"a", "b", "c"}}));
  EXPECT_EQ(records("say \"hi\",b\n"), (Records{{"say \"hi\"", "b"}}));
  EXPECT_EQ(records(""), Records{});
}

TEST(TableRows, BrokenCsvNamesItsLine) {
  const auto message = [](std::string_view text) -> std::string {
    try {
      records(text);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Kind::kInput);
      return e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message("a,b\n\"open,2\n3,4\n"), testing::HasSubstr("line 2"));
  EXPECT_THAT(message("a\n\"x\ny\"\n\"z\"z\n"), testing::HasSubstr("line 4"));
}

class TableFile : public ::testing::Test {
 protected:
  TableFile() {
    std::string pattern = (fs::temp_directory_path() / "tandem_table_XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
  }
  ~TableFile() override { fs::remove_all(dir_); }
  std::vector<std::string> rows(const std::string& name, std::string_view text) {
    write_file_atomically(dir_ / name, text);
    std::vector<std::string> all;
    each_row(dir_ / name, table_format(name).value(),
             [&](const json::object& row, std::size_t) { all.push_back(json::dump(row)); });
    return all;
  }
  fs::path dir_;
};

TEST_F(TableFile, NumbersAreNumbersAndEmptyCellsAreNothing) {
  EXPECT_THAT(rows("a.csv", "path,year,code,note\na.jpg,2024,007,\nb.jpg,-1.5,1e2,x\n\n"),
              testing::ElementsAre(R"({"path":"a.jpg","year":2024,"code":"007"})",
                                   R"({"path":"b.jpg","year":-1.5,"code":100.0,"note":"x"})"));
  EXPECT_THROW(rows("a.tsv", "path\tcaption\na\tb\tc\n"), Error);
}

TEST_F(TableFile, JsonLines) {
  EXPECT_THAT(rows("a.jsonl", "{\"a\":1}\n\n  {\"b\":[1]}"),
              testing::ElementsAre(R"({"a":1})", R"({"b":[1]})"));
  EXPECT_THROW(rows("a.jsonl", "[1]\n"), Error);
  EXPECT_THROW(rows("a.jsonl", "{\"a\":1}\n{\"a\":\n"), Error);
}

}  // namespace
}  // namespace tandem
