// Any bytes as a filter: refused with kInput, or SQLite and matches() find the same items.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <sqlite3.h>
#include <string>
#include <variant>
#include <vector>

#include "core/error.h"
#include "index/item_filter.h"

namespace {

using Value = tandem::ItemFilter::Value;

std::vector<tandem::Item> make_items() {
  const char* metadata[] = {R"({})",
                            R"({"tag":"x","n":5,"deep":{"a":{"b":true}}})",
                            R"({"tag":"X y","n":5.0,"flag":true})",
                            R"({"tag":7,"n":"5","flag":false})",
                            R"({"tag":null,"n":-2.5,"flag":1})",
                            R"({"tag":["x"],"n":9007199254740993})",
                            R"({"tag":{"x":1},"n":1e300})",
                            R"({"tag":"","n":18446744073709551615})"};
  std::vector<tandem::Item> items;
  for (const char* text : metadata) {
    tandem::Item item;
    item.id = static_cast<std::int64_t>(items.size()) + 1;
    item.kind = item.id % 2 == 0 ? tandem::ItemKind::kText : tandem::ItemKind::kPicture;
    item.uri = "Photos/" + std::to_string(item.id);
    item.sha256 = "abcdef";
    item.size_bytes = 1'000 * items.size();
    item.mtime_ns = 1'714'564'800'000'000'000 + item.id;
    item.width = static_cast<int>(100 * item.id);
    item.caption = item.id == 3 ? "" : "a CAT";
    item.metadata_json = text;
    items.push_back(item);
  }
  return items;
}

struct Close {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Close>;

Statement prepare(sqlite3* database, const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) std::abort();
  return Statement(statement);
}

void bind(sqlite3_stmt* statement, int at, const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    sqlite3_bind_text64(statement, at, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
  } else if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    sqlite3_bind_int64(statement, at, *whole);
  } else if (const auto* real = std::get_if<double>(&value)) {
    sqlite3_bind_double(statement, at, *real);
  } else {
    sqlite3_bind_int64(statement, at, std::get<bool>(value) ? 1 : 0);
  }
}

std::unique_ptr<sqlite3, Close> make_database(const std::vector<tandem::Item>& items) {
  sqlite3* raw = nullptr;
  sqlite3_open(":memory:", &raw);
  std::unique_ptr<sqlite3, Close> database(raw);
  sqlite3_exec(raw,
               "CREATE TABLE items(id INTEGER PRIMARY KEY, uri TEXT, sha256 TEXT, size_bytes "
               "INTEGER, mtime_ns INTEGER, width INTEGER, height INTEGER, caption TEXT, metadata "
               "TEXT, kind TEXT)",
               nullptr, nullptr, nullptr);
  const auto insert = prepare(raw, "INSERT INTO items VALUES(?,?,?,?,?,?,?,?,?,?)");
  for (const auto& item : items) {
    const std::vector<Value> values = {item.id,
                                       item.uri,
                                       item.sha256,
                                       static_cast<std::int64_t>(item.size_bytes),
                                       item.mtime_ns,
                                       std::int64_t{item.width},
                                       std::int64_t{item.height},
                                       item.caption,
                                       item.metadata_json,
                                       std::string(kind_name(item.kind))};
    for (std::size_t i = 0; i < values.size(); ++i)
      bind(insert.get(), static_cast<int>(i) + 1, values[i]);
    if (sqlite3_step(insert.get()) != SQLITE_DONE) std::abort();
    sqlite3_reset(insert.get());
  }
  return database;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto items = make_items();
  static const auto database = make_database(items);
  try {
    const auto filter =
        tandem::parse_item_filter(std::string_view(reinterpret_cast<const char*>(data), size));
    const auto bound = tandem::to_sql(filter);
    const auto select = prepare(database.get(), "SELECT " + bound.sql + " FROM items ORDER BY id");
    for (std::size_t i = 0; i < bound.values.size(); ++i)
      bind(select.get(), static_cast<int>(i) + 1, bound.values[i]);
    for (const auto& item : items) {
      if (sqlite3_step(select.get()) != SQLITE_ROW) std::abort();
      if (sqlite3_column_type(select.get(), 0) != SQLITE_INTEGER) std::abort();
      if ((sqlite3_column_int64(select.get(), 0) != 0) != matches(filter, item)) std::abort();
    }
  } catch (const tandem::Error& error) {
    if (error.kind() != tandem::Kind::kInput) std::abort();
  }
  return 0;
}
