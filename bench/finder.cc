// What find() costs beside the search itself, and calibration and near-duplicates on the whole.
//   finder_bench FOLDER [ROWS]     makes FOLDER/bench.tandem of ROWS (100,000) clustered vectors
#include "tasks/finder.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fmt/format.h>
#include <random>

#include "index/collection.h"

namespace {

using namespace tandem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kWidth = 512;
constexpr std::size_t kClusters = 2'000;

struct Vectors {
  std::mt19937 random{1};
  std::normal_distribution<float> normal;
  Matrix centres{kClusters, kWidth};

  Vectors() {
    for (auto& value : centres.values) value = normal(random);
  }
  // Near a cluster's centre; spread 0: far from all.
  void fill(std::span<float> row, float spread) {
    const auto centre = centres.row(random() % kClusters);
    double squares = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = spread > 0 ? centre[i] + spread * normal(random) : normal(random);
      squares += static_cast<double>(row[i]) * row[i];
    }
    for (float& value : row) value = static_cast<float>(value / std::sqrt(squares));
  }
};

void fill(Store& store, Vectors& vectors, std::size_t rows) {
  constexpr std::size_t kPiece = 5'000;
  for (std::size_t at = 0; at < rows; at += kPiece) {
    std::vector<Item> items(std::min(kPiece, rows - at));
    Matrix matrix(items.size(), kWidth);
    for (std::size_t i = 0; i < items.size(); ++i) {
      items[i].uri = fmt::format("pictures/{:07}.jpg", at + i);
      items[i].width = 640 + static_cast<int>(i % 7);
      items[i].height = 480;
      items[i].mtime_ns = static_cast<std::int64_t>(vectors.random()) * 1'000'000'000;
      items[i].metadata_json = fmt::format(R"({{"tag":"t{}"}})", i % 30);
      vectors.fill(matrix.row(i), 0.7F);
    }
    store.upsert(items, matrix);
  }
}

template <typename Body>
double milliseconds(const Body& body) {
  const auto begin = Clock::now();
  body();
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// Of this process, on all its threads: what a busy machine does not change much.
double cpu_milliseconds() { return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// The median and the 99th of 100.
template <typename Body>
void report(const std::string& name, const Body& body) {
  std::vector<double> times;
  const double before = cpu_milliseconds();
  for (std::size_t i = 0; i < 100; ++i) times.push_back(milliseconds([&] { body(i); }));
  const double cpu = (cpu_milliseconds() - before) / 100;
  std::sort(times.begin(), times.end());
  fmt::print("{:40} {:7.2f} ms {:7.2f} ms {:7.2f} ms\n", name, times[50], times[98], cpu);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto dir = std::filesystem::path(argv[1]) / "bench.tandem";
  const std::size_t rows = argc > 2 ? std::stoul(argv[2]) : 100'000;
  std::filesystem::remove_all(dir);
  Vectors vectors;
  auto store = Collection::open(dir, OpenMode::kWrite, "bench", "f", kWidth);
  fill(store, vectors, rows);
  fmt::print("{} rows of {} values\n", store.size(), kWidth);

  Calibration calibration;
  const auto embed = [&](const std::vector<std::string>& texts) {
    Matrix nulls(texts.size(), kWidth);
    for (std::size_t i = 0; i < nulls.rows; ++i) vectors.fill(nulls.row(i), 0);
    return nulls;
  };
  const std::vector<std::string> nulls(350, "null");
  double before = cpu_milliseconds();
  double took = milliseconds([&] { calibration = calibrate(store, embed, nulls); });
  fmt::print("calibrate, without a model: {:.0f} ms, CPU {:.0f} ms\n", took,
             cpu_milliseconds() - before);

  Matrix queries(100, kWidth);
  for (std::size_t i = 0; i < queries.rows; ++i) vectors.fill(queries.row(i), 1.5F);
  fmt::print("{:40} {:>10} {:>10} {:>10}\n", "100 queries", "p50", "p99", "CPU, mean");
  for (const std::size_t k : {30, 200, 1'000}) {
    report(fmt::format("search, {} best", k),
           [&](std::size_t i) { store.search(queries.row(i), {.top_k = k}); });
  }
  const auto find_with = [&](const std::string& name, const FindOptions& options) {
    report(name, [&](std::size_t i) {
      find(store, queries.row(i), Asked::kWords, &calibration, options);
    });
  };
  find_with("find, 30 best", {.limit = 30});
  find_with("find, 30 relevant", {.limit = 30, .relevant_only = true});
  find_with("find, 30 relevant, newest",
            {.limit = 30, .sort = SortBy::kNewest, .relevant_only = true});
  find_with("find, 30 relevant, collapsed at 0.95",
            {.limit = 30, .relevant_only = true, .collapse_above = 0.95F});
  find_with("find, 30 of all, collapsed, 2 facets",
            {.limit = 30, .collapse_above = 0.95F, .facets = {"width", "metadata.tag"}});
  if (rows <= 20'000) {
    std::size_t groups = 0;
    before = cpu_milliseconds();
    took = milliseconds([&] { groups = near_duplicates(store, 0.95F).size(); });
    fmt::print("near_duplicates: {:.0f} ms, CPU {:.0f} ms, {} groups\n", took,
               cpu_milliseconds() - before, groups);
  }
  std::filesystem::remove_all(dir);
  return 0;
}
