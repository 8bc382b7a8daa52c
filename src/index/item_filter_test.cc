#include "index/item_filter.h"

#include <gmock/gmock.h>

#include "index/iso_time.h"
#include "index/schema.h"
#include "index/test_collection.h"
#include "index/where.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    parse_item_filter(text);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kInput) << e.what();
    return e.what();
  }
  return "accepted";
}

TEST(ItemFilter, SaysWhereWhatIsWrong) {
  EXPECT_THAT(refusal("{"), HasSubstr("filter"));
  EXPECT_THAT(refusal("[]"), HasSubstr("filter: expected an object"));
  EXPECT_THAT(refusal(R"({"widht": 5})"),
              HasSubstr("filter.widht: not a field. Expected one of id"));
  EXPECT_THAT(refusal(R"({"width": {"gte": "x"}})"),
              HasSubstr("filter.width.gte: expected a number"));
  EXPECT_THAT(refusal(R"({"width": {"near": 5}})"), HasSubstr("not an operator"));
  EXPECT_THAT(refusal(R"({"width": {"gt": 5, "gte": 6}})"), HasSubstr("bounded twice"));
  EXPECT_THAT(refusal(R"({"width": {}})"), HasSubstr("expected one of eq"));
  EXPECT_THAT(refusal(R"({"width": [1]})"), HasSubstr("expected a text, a number"));
  EXPECT_THAT(refusal(R"({"width": {"contains": "5"}})"), HasSubstr("for a field of texts"));
  EXPECT_THAT(refusal(R"({"caption": 5})"), HasSubstr("expected a text"));
  EXPECT_THAT(refusal(R"({"mtime": {"gte": "May"}})"), HasSubstr("expected a date"));
  EXPECT_THAT(refusal(R"({"and": [{"or": [{"x": 1}]}]})"), HasSubstr("filter.and[0].or[0].x"));
  EXPECT_THAT(refusal(R"({"metadata.": 1})"), HasSubstr("keys of metadata"));
  EXPECT_THAT(refusal(R"({"metadata.a\"b": 1})"), HasSubstr("without quotes"));
  EXPECT_THAT(refusal(R"({"metadata.a": {"gte": 1, "lt": "x"}})"), HasSubstr("both bounds"));
  EXPECT_THAT(refusal(R"({"caption": "a\u0000b"})"), HasSubstr("zero byte"));
}

TEST(ItemFilter, IsLimitedInDepthConditionsAndValues) {
  std::string deep = R"({"id": 1})";
  for (int i = 0; i < 40; ++i) deep = R"({"not": )" + deep + "}";
  EXPECT_EQ(refusal(deep), "accepted");
  for (int i = 0; i < 40; ++i) deep = R"({"not": )" + deep + "}";
  EXPECT_NE(refusal(deep), "accepted");
  const auto list = [](const std::string& one, int count) {
    std::string text = one;
    for (int i = 1; i < count; ++i) text += "," + one;
    return "[" + text + "]";
  };
  EXPECT_EQ(refusal(R"({"or": )" + list(R"({"id": 1})", 1'000) + "}"), "accepted");
  EXPECT_THAT(refusal(R"({"or": )" + list(R"({"id": 1})", 1'001) + "}"),
              HasSubstr("1000 conditions"));
  EXPECT_EQ(refusal(R"({"id": {"in": )" + list("1", 10'000) + "}}"), "accepted");
  EXPECT_NE(refusal(R"({"id": {"in": )" + list("1", 10'001) + "}}"), "accepted");
}

TEST(IsoTime, ReadsDatesAndTimes) {
  constexpr std::int64_t kDay = 86'400'000'000'000;
  EXPECT_EQ(parse_iso_time("1970-01-02"), kDay);
  EXPECT_EQ(parse_iso_time("1969-12-31"), -kDay);
  EXPECT_EQ(parse_iso_time("2024-05-01T12:00:00Z"), 1'714'564'800'000'000'000);
  EXPECT_EQ(parse_iso_time("2024-05-01 12:00"), 1'714'564'800'000'000'000);
  EXPECT_EQ(parse_iso_time("1970-01-01T00:00:01.5Z"), 1'500'000'000);
  EXPECT_EQ(parse_iso_time("1970-01-01T00:00:00.000000001Z"), 1);
  for (const char* bad : {"", "2024", "2024-13-01", "2024-02-30", "2024-05-01T", "2024-05-01T25:00",
                          "2024-05-01T12:00:00.Z", "2024-05-01x", "0000-01-01", "9999-01-01",
                          "2024-05-01T12:00:00.0000000001Z"})
    EXPECT_FALSE(parse_iso_time(bad)) << bad;
  EXPECT_EQ(iso_time(1'714'564'800'000'000'000), "2024-05-01T12:00:00Z");
  EXPECT_EQ(iso_time(-1), "1969-12-31T23:59:59Z");
}

// Items against which SQLite and matches() decide alike.
class ItemFilterRows : public ::testing::Test {
 protected:
  ItemFilterRows()
      : collection_(Collection::open(folder_.path() / "c", OpenMode::kWrite, "mini", "f", 2)) {
    const char* metadata[] = {R"({})",
                              R"({"tag":"x","n":5,"deep":{"a":{"b":true}}})",
                              R"({"tag":"X y","n":5.0,"flag":true})",
                              R"({"tag":7,"n":"5","flag":false})",
                              R"({"tag":null,"n":-2.5,"flag":1})",
                              R"({"tag":["x"],"n":9007199254740993,"é ñ":"ü"})",
                              R"({"tag":{"x":1},"n":1e300,"a.b":1})",
                              R"({"tag":"","n":18446744073709551615})"};
    std::vector<Item> items;
    for (std::size_t i = 0; i < std::size(metadata); ++i) {
      Item item;
      item.uri = (i % 2 == 0 ? "Photos/" : "text:") + std::to_string(i);
      item.kind = i % 2 == 0 ? ItemKind::kPicture : ItemKind::kText;
      item.sha256 = "hash" + std::to_string(i);
      item.size_bytes = 1000 * i;
      item.mtime_ns = 1'714'564'800'000'000'000 + static_cast<std::int64_t>(i);
      item.width = static_cast<int>(i) * 100;
      item.caption = i == 3 ? "100% Cat_Dog" : i == 4 ? "" : "a CAT 'quoted' \"so\" Äpfel";
      item.metadata_json = metadata[i];
      items.push_back(item);
    }
    collection_.upsert(items, Matrix(items.size(), 2));
    database_ =
        std::make_unique<Database>(folder_.path() / "c/items.sqlite", Database::Mode::kRead);
    items_ = collection_.items(collection_.sample(100));
  }

  // The places of the items, from 0, that fulfil it.
  std::vector<int> rows(const std::string& text) {
    const ItemFilter filter = parse_item_filter(text);
    std::vector<int> by_match;
    for (const Item& item : items_) {
      if (matches(filter, item)) by_match.push_back(static_cast<int>(item.id) - 1);
    }
    std::vector<int> by_sql;
    for (const std::int64_t id : matching_ids(*database_, filter, 5'000))
      by_sql.push_back(static_cast<int>(id) - 1);
    EXPECT_EQ(by_match, by_sql) << text << "\n" << to_sql(filter).sql;
    return by_sql;
  }

  TestFolder folder_;
  Collection collection_;
  std::unique_ptr<Database> database_;
  std::vector<Item> items_;
};

using Rows = std::vector<int>;

TEST_F(ItemFilterRows, Columns) {
  EXPECT_EQ(rows("{}"), (Rows{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(rows(R"({"or": []})"), Rows{});
  EXPECT_EQ(rows(R"({"width": {"gte": 500}})"), (Rows{5, 6, 7}));
  EXPECT_EQ(rows(R"({"width": {"gt": 100, "lte": 300.5}})"), (Rows{2, 3}));
  EXPECT_EQ(rows(R"({"width": 200.0})"), Rows{2});
  EXPECT_EQ(rows(R"({"width": {"in": [100, 700, 5]}})"), (Rows{1, 7}));
  EXPECT_EQ(rows(R"({"kind": "text", "size_bytes": {"lt": 4000}})"), (Rows{1, 3}));
  EXPECT_EQ(rows(R"({"kind": {"ne": "text"}})"), (Rows{0, 2, 4, 6}));
  EXPECT_EQ(rows(R"({"id": {"in": [3, 1]}})"), (Rows{0, 2}));
  EXPECT_EQ(rows(R"({"mtime": {"gt": "2024-05-01T12:00:00.000000005Z"}})"), (Rows{6, 7}));
  EXPECT_EQ(rows(R"({"mtime": {"lt": "2024-05-01"}})"), Rows{});
  EXPECT_EQ(rows(R"({"sha256": "hash4"})"), Rows{4});
  EXPECT_EQ(rows(R"({"width": {"exists": false}})"), Rows{});
}

TEST_F(ItemFilterRows, Texts) {
  EXPECT_EQ(rows(R"({"uri": {"prefix": "photos/"}})"), (Rows{0, 2, 4, 6}));
  EXPECT_EQ(rows(R"({"caption": {"contains": "cAt"}})"), (Rows{0, 1, 2, 3, 5, 6, 7}));
  EXPECT_EQ(rows(R"({"caption": {"contains": "% cat_"}})"), Rows{3}) << "no wildcards";
  EXPECT_EQ(rows(R"({"caption": {"contains": "t' OR 1"}})"), Rows{});
  EXPECT_EQ(rows(R"({"caption": {"contains": "'quoted' \"so\""}})"), (Rows{0, 1, 2, 5, 6, 7}));
  EXPECT_EQ(rows(R"({"caption": {"contains": "äpfel"}})"), Rows{}) << "ASCII letters only";
  EXPECT_EQ(rows(R"({"caption": {"contains": ""}})"), (Rows{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(rows(R"({"caption": "100% cat_dog"})"), Rows{}) << "eq minds the case";
}

TEST_F(ItemFilterRows, MetadataCompareByType) {
  EXPECT_EQ(rows(R"({"metadata.tag": "x"})"), Rows{1});
  EXPECT_EQ(rows(R"({"metadata.tag": {"ne": "x"}})"), (Rows{0, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(rows(R"({"metadata.tag": {"prefix": "x"}})"), (Rows{1, 2}));
  EXPECT_EQ(rows(R"({"metadata.tag": {"exists": true}})"), (Rows{1, 2, 3, 5, 6, 7}));
  EXPECT_EQ(rows(R"({"metadata.tag": null})"), (Rows{0, 4}));
  EXPECT_EQ(rows(R"({"metadata.n": 5})"), (Rows{1, 2}));
  EXPECT_EQ(rows(R"({"metadata.n": "5"})"), Rows{3});
  EXPECT_EQ(rows(R"({"metadata.n": {"in": [5, "5", -2.5]}})"), (Rows{1, 2, 3, 4}));
  EXPECT_EQ(rows(R"({"metadata.n": {"gte": 5}})"), (Rows{1, 2, 5, 6, 7}));
  EXPECT_EQ(rows(R"({"metadata.n": {"gte": "4"}})"), Rows{3});
  EXPECT_EQ(rows(R"({"metadata.n": 9007199254740993})"), Rows{5});
  EXPECT_EQ(rows(R"({"metadata.n": {"gt": 9007199254740992.0, "lt": 1e17}})"), Rows{5});
  EXPECT_EQ(rows(R"({"metadata.n": {"gt": 1e18, "lt": 1e20}})"), Rows{7});
  EXPECT_EQ(rows(R"({"metadata.flag": true})"), Rows{2});
  EXPECT_EQ(rows(R"({"metadata.flag": 1})"), Rows{4});
  EXPECT_EQ(rows(R"({"metadata.flag": {"in": [false, true]}})"), (Rows{2, 3}));
  EXPECT_EQ(rows(R"({"metadata.deep.a.b": true})"), Rows{1});
  EXPECT_EQ(rows(R"({"metadata.tag.x": 1})"), Rows{6});
  EXPECT_EQ(rows(R"({"metadata.é ñ": "ü"})"), Rows{5});
  EXPECT_EQ(rows(R"({"metadata.none": {"lt": 5}})"), Rows{});
  EXPECT_EQ(rows(R"({"not": {"metadata.none": {"lt": 5}}})"), (Rows{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST_F(ItemFilterRows, Trees) {
  EXPECT_EQ(rows(R"({"or": [{"metadata.tag": "x"}, {"not": {"kind": "text"}}]})"),
            (Rows{0, 1, 2, 4, 6}));
  EXPECT_EQ(rows(R"({"and": [{"width": {"gt": 100}}, {"width": {"lt": 400}}], "kind": "text"})"),
            Rows{3});
  std::string many;
  for (int i = 0; i < 1'000; ++i)
    many += (i > 0 ? "," : "") + (R"({"id": )" + std::to_string(i + 7)) + "}";
  EXPECT_EQ(rows(R"({"or": [)" + many + "]}"), (Rows{6, 7}));
  std::string ids;
  for (int i = 0; i < 10'000; ++i) ids += (i > 0 ? "," : "") + std::to_string(i);
  EXPECT_EQ(rows(R"({"id": {"in": [)" + ids + "]}}").size(), 8U);
}

TEST_F(ItemFilterRows, ValuesAreNeverSql) {
  EXPECT_EQ(rows(R"({"uri": "'; DROP TABLE items; --"})"), Rows{});
  EXPECT_EQ(rows(R"({"metadata.x'] OR 1 --": 1})"), Rows{});
  EXPECT_EQ(collection_.size(), 8U);
}

}  // namespace
}  // namespace tandem
