// What the tests of collections share.
#pragma once

#include <cmath>
#include <filesystem>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/rng.h"
#include "index/collection.h"

namespace tandem {

// A new folder, removed with everything in it.
class TestFolder {
 public:
  TestFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tandem_index_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::vector<float> random_unit(Rng& rng, int width) {
  std::vector<float> row(static_cast<std::size_t>(width));
  double squares = 0;
  for (float& v : row) {
    v = static_cast<float>(rng.normal());
    squares += static_cast<double>(v) * v;
  }
  for (float& v : row) v = static_cast<float>(v / std::sqrt(squares));
  return row;
}

inline Matrix random_units(Rng& rng, std::size_t count, int width) {
  Matrix matrix(count, static_cast<std::size_t>(width));
  for (std::size_t i = 0; i < count; ++i) {
    const auto row = random_unit(rng, width);
    std::copy(row.begin(), row.end(), matrix.row(i).begin());
  }
  return matrix;
}

// PREFIX/0, PREFIX/1, …; width i % 100, mtime i seconds.
inline std::vector<Item> numbered_items(const std::string& prefix, std::size_t count) {
  std::vector<Item> items(count);
  for (std::size_t i = 0; i < count; ++i) {
    items[i].uri = prefix + "/" + std::to_string(i);
    items[i].sha256 = std::to_string(i) + " hash of " + prefix;
    items[i].width = static_cast<int>(i % 100);
    items[i].mtime_ns = static_cast<std::int64_t>(i) * 1'000'000'000;
  }
  return items;
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

inline void run_sql(const std::filesystem::path& dir, const char* sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((dir / "items.sqlite").c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
}

}  // namespace tandem
