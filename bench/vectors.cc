// How large collections are searched: builds one of generated vectors, then measures its graph.
//   vectors_bench FILE.npy QUERIES.npy DIR     one JSON object on stdout
// FILE.npy: (N,D) float16 unit rows, QUERIES.npy (Q,D) float32; bench/vectors.py makes them.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fmt/format.h>
#include <set>

#include "core/error.h"
#include "core/json.h"
#include "core/rng.h"
#include "core/tensor.h"
#include "data/npy.h"
#include "index/collection.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values.at(static_cast<std::size_t>(share * static_cast<double>(values.size() - 1)));
}

std::uint64_t bytes_below(const fs::path& dir) {
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(dir)) bytes += entry.file_size();
  return bytes;
}

void fill(Collection& collection, const Matrix& vectors) {
  constexpr std::size_t kRows = 10'000;
  for (std::size_t begin = 0; begin < vectors.rows; begin += kRows) {
    const std::size_t count = std::min(kRows, vectors.rows - begin);
    Matrix part(count, vectors.cols);
    std::vector<Item> items(count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = vectors.row(begin + i);
      std::copy(row.begin(), row.end(), part.row(i).begin());
      items[i].uri = fmt::format("pictures/{:03}/{:07}.jpg", (begin + i) / 1000, begin + i);
      items[i].sha256 = fmt::format("{:016x}{:016x}{:032}", begin + i, Rng(begin + i).next(), 0);
      items[i].size_bytes = 80'000;
      items[i].width = static_cast<int>((begin + i) % 1000);  // "width = 7": 0.1 % of the rows
      items[i].height = 400;
    }
    collection.upsert(items, part);
  }
}

struct Measured {
  double recall = 0;
  std::vector<double> ms;
  std::vector<double> cpu_ms;  // of the thread that asks: what others run beside it does not count
};

double cpu_ms_now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// `options`: with the number of answers, the condition and how hard to look.
Measured measure(const Collection& collection, const Matrix& queries,
                 const SearchOptions& options) {
  SearchOptions exact = options;
  exact.graph_rows = SIZE_MAX;
  Measured result;
  std::size_t found = 0;
  std::size_t possible = 0;
  for (std::size_t q = 0; q < queries.rows; ++q) {
    const auto begin = Clock::now();
    const double cpu_begin = cpu_ms_now();
    const auto hits = collection.search(queries.row(q), options);
    result.ms.push_back(since(begin) * 1e3);
    result.cpu_ms.push_back(cpu_ms_now() - cpu_begin);
    // Exact answers take long; a fifth of the queries is compared.
    if (q % 5 != 0) continue;
    std::set<std::int64_t> truth;
    for (const Hit& hit : collection.search(queries.row(q), exact)) truth.insert(hit.id);
    possible += truth.size();
    for (const Hit& hit : hits) found += truth.count(hit.id);
  }
  result.recall =
      static_cast<double>(found) / static_cast<double>(std::max<std::size_t>(possible, 1));
  return result;
}

json::object shown(const Measured& measured) {
  return {{"recall", measured.recall},
          {"p50_ms", percentile(measured.ms, 0.5)},
          {"p99_ms", percentile(measured.ms, 0.99)},
          {"cpu_p50_ms", percentile(measured.cpu_ms, 0.5)}};
}

int run(const char* vectors_path, const char* queries_path, const fs::path& dir) {
  const Matrix queries = read_npy(queries_path);
  json::object out;
  if (!fs::exists(dir / "items.sqlite")) {
    const Matrix vectors = read_npy(vectors_path);
    auto collection =
        Collection::open(dir, OpenMode::kWrite, "bench", "bench", static_cast<int>(queries.cols));
    auto begin = Clock::now();
    fill(collection, vectors);
    out["store_s"] = since(begin);
    begin = Clock::now();
    collection.update_graph({});
    out["graph_s"] = since(begin);
  }
  auto begin = Clock::now();
  const auto collection = Collection::open(dir, OpenMode::kRead, "", "", 0);
  collection.search(queries.row(0), {});
  out["open_and_first_search_s"] = since(begin);
  out["rows"] = collection.size();
  out["bytes_per_item"] =
      static_cast<double>(bytes_below(dir)) / static_cast<double>(collection.size());
  out["all"] = shown(measure(collection, queries, {}));
  for (const std::size_t expansion : {64, 128, 192, 256, 384}) {
    out[fmt::format("expansion_{}", expansion)] =
        shown(measure(collection, queries, {.expansion = expansion}));
  }
  // A condition is looked up once: the first search takes that much longer.
  begin = Clock::now();
  collection.search(queries.row(0), {.where = "width = 7"});
  out["condition_s"] = since(begin);
  out["few"] = shown(measure(collection, queries, {.where = "width = 7"}));
  out["half"] = shown(measure(collection, queries, {.where = "width < 500"}));
  std::puts(json::pretty(out).c_str());
  return 0;
}

}  // namespace
}  // namespace tandem

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: vectors_bench FILE.npy QUERIES.npy DIR\n", stderr);
    return 2;
  }
  try {
    return tandem::run(argv[1], argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vectors_bench: %s\n", error.what());
    return 1;
  }
}
