// The graph of a collection, brought up to date.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "core/rng.h"
#include "core/tensor.h"
#include "core/threads.h"
#include "index/collection_rep.h"
#include "index/distance.h"

namespace tandem {
namespace {

constexpr std::size_t kBatchRows = 8'192;
// Rows that search() scans beside the graph rather than that the graph is written again: this many,
// or one in kFewNewShare up to kMostNew, which take some milliseconds.
constexpr std::size_t kFewNew = 5'000;
constexpr std::size_t kMostNew = 20'000;
constexpr std::size_t kFewNewShare = 50;  // one in so many
// A graph is built anew when of its rows one in so many is gone.
constexpr std::size_t kGoneShare = 3;

struct Batch {
  std::vector<std::int64_t> revisions;
  std::vector<std::int64_t> ids;
  std::vector<std::uint16_t> rows;
};

// The next rows after `revision`.
Batch read_batch(Database& reader, std::size_t width, std::int64_t revision) {
  Batch batch;
  Statement select(reader,
                   "SELECT revision, id, vector, checksum FROM vectors WHERE revision > ? "
                   "ORDER BY revision LIMIT ?");
  select.bind(1, revision).bind(2, static_cast<std::int64_t>(kBatchRows));
  while (select.step()) {
    batch.revisions.push_back(select.integer(0));
    batch.ids.push_back(select.integer(1));
    batch.rows.resize(batch.rows.size() + width);
    copy_vector(reader, batch.ids.back(), select.blob(2), select.integer(3),
                std::span(batch.rows).last(width));
  }
  return batch;
}

// The first rows come one after the other: of two that are added to a nearly empty graph at once,
// neither sees the other, and parts without a way between them would remain.
constexpr std::size_t kFirstRows = 1'000;

void add(GraphBuilder& builder, const Batch& batch, std::size_t threads, std::size_t width) {
  const auto add_row = [&](std::size_t i, std::size_t thread) {
    builder.add(batch.revisions[i], std::span(batch.rows).subspan(i * width, width), thread);
  };
  std::size_t first = 0;
  while (first < batch.revisions.size() && builder.size() < kFirstRows) add_row(first++, 0);
  parallel_for(threads, threads, [&](std::size_t thread) {
    for (std::size_t i = first + thread; i < batch.revisions.size(); i += threads)
      add_row(i, thread);
  });
}

std::int64_t count(Database& reader, const char* sql, std::int64_t revision) {
  Statement select(reader, sql);
  select.bind(1, revision).step();
  return select.integer(0);
}

}  // namespace

GraphReport Collection::update_graph(const GraphOptions& options) {
  CollectionRep& rep = *rep_;
  const auto path = graph_path(rep);
  const std::size_t threads = options.threads > 0 ? options.threads : available_threads();
  const StoreMeta meta = rep.meta();
  const auto width = static_cast<std::size_t>(meta.width);
  const auto reader = rep.readers.lease();
  // One state of the collection; what is written meanwhile has later revisions.
  Transaction transaction(*reader, Transaction::Kind::kRead);
  const auto [last, rows] = read_state(*reader, meta);
  GraphReport report;
  if (rows < options.minimum_rows) {
    report.done = GraphReport::Done::kTooSmall;
    return report;
  }
  std::optional<GraphBuilder> builder;
  std::int64_t revision = 0;
  std::size_t fresh = rows;
  try {
    std::size_t known = 0;  // rows in the graph
    GraphStamp stamp;
    {
      const Graph graph = Graph::open(path);
      known = graph.size();
      stamp = graph.stamp();
      report.file_bytes = graph.file_bytes();
    }
    if (stamp.width == meta.width && stamp.fingerprint == meta.fingerprint &&
        stamp.revision <= last) {
      const auto alive = static_cast<std::size_t>(
          count(*reader, "SELECT count(*) FROM vectors WHERE revision <= ?", stamp.revision));
      const std::size_t gone = known > alive ? known - alive : 0;
      fresh = rows - alive;
      if (gone * kGoneShare < known) {
        if (fresh <= std::clamp(rows / kFewNewShare, kFewNew, kMostNew)) {
          report.rows = known;
          return report;
        }
        builder.emplace(path, fresh, threads);
        revision = stamp.revision;
        report.done = GraphReport::Done::kExtended;
      } else {
        fresh = rows;
      }
    }
  } catch (const Error& error) {
    if (error.kind() == Kind::kIo) throw;
    fresh = rows;  // missing, damaged or of another version
  }
  if (!builder) {
    builder.emplace(meta.width, rows, threads);
    report.done = GraphReport::Done::kBuilt;
  }
  while (true) {
    const Batch batch = read_batch(*reader, width, revision);
    if (batch.revisions.empty()) break;
    add(*builder, batch, threads, width);
    revision = batch.revisions.back();
    report.added += batch.revisions.size();
    if (options.progress) options.progress(report.added, fresh);
    if (options.stop && options.stop()) {
      report.done = GraphReport::Done::kStopped;
      return report;
    }
  }
  builder->save(path, {meta.fingerprint, meta.width, last});
  report.rows = builder->size();
  report.file_bytes = std::filesystem::file_size(path);
  return report;
}

namespace {

// Stored vectors spread over the collection, each turned by a random amount, so that the answer is
// not just the vector itself: words are never that near to a picture.
Matrix sampled_queries(const Collection& collection, std::size_t count) {
  constexpr double kTurn = 0.3;  // length of what is added to a vector of length 1
  Matrix queries = collection.vectors(collection.sample(count));
  Rng rng(queries.rows);
  for (std::size_t q = 0; q < queries.rows; ++q) {
    const auto row = queries.row(q);
    double squares = 0;
    for (float& v : row) {
      v += static_cast<float>(rng.normal() * kTurn / std::sqrt(static_cast<double>(row.size())));
      squares += static_cast<double>(v) * v;
    }
    for (float& v : row) v = static_cast<float>(v / std::sqrt(squares));
  }
  return queries;
}

// The ten nearest to each query, by computing every score.
std::vector<TopK> true_nearest(Database& reader, const Matrix& queries, std::size_t threads) {
  std::vector<TopK> best(queries.rows, TopK(10));
  std::int64_t revision = 0;
  while (true) {
    const Batch batch = read_batch(reader, queries.cols, revision);
    if (batch.revisions.empty()) return best;
    revision = batch.revisions.back();
    parallel_for(queries.rows, threads, [&](std::size_t q) {
      std::vector<float> scores(batch.ids.size());
      dot_rows(queries.row(q), batch.rows, scores);
      for (std::size_t i = 0; i < scores.size(); ++i) best[q].offer({batch.ids[i], scores[i]});
    });
  }
}

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values.at(static_cast<std::size_t>(share * static_cast<double>(values.size() - 1)));
}

std::uint64_t bytes_of_folder(const std::filesystem::path& dir) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

}  // namespace

GraphCard Collection::measure_graph(std::size_t queries, std::size_t threads) {
  using Clock = std::chrono::steady_clock;
  CollectionRep& rep = *rep_;
  GraphCard card;
  card.rows = size();
  if (card.rows == 0 || queries == 0) return card;
  const Matrix asked = sampled_queries(*this, queries);
  queries = asked.rows;
  std::vector<TopK> truth;
  {
    const auto reader = rep.readers.lease();
    Transaction transaction(*reader, Transaction::Kind::kRead);
    truth = true_nearest(*reader, asked, threads > 0 ? threads : available_threads());
  }
  std::size_t found = 0;
  std::size_t possible = 0;
  std::vector<double> ms;
  search(asked.row(0), {.graph_rows = 0});  // opens the file
  for (std::size_t q = 0; q < queries; ++q) {
    const auto begin = Clock::now();
    const auto hits = search(asked.row(q), {.graph_rows = 0});
    ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    const auto nearest = truth[q].sorted();
    possible += nearest.size();
    for (const Scored& row : nearest) {
      found += static_cast<std::size_t>(std::count_if(
          hits.begin(), hits.end(), [&](const Hit& hit) { return hit.id == row.id; }));
    }
  }
  card.queries = queries;
  card.recall_at_10 = static_cast<double>(found) / static_cast<double>(possible);
  card.p50_ms = percentile(ms, 0.5);
  card.p99_ms = percentile(ms, 0.99);
  card.bytes_per_item =
      static_cast<double>(bytes_of_folder(rep.dir)) / static_cast<double>(card.rows);
  set_note("card", json::dump(json::object{{"rows", card.rows},
                                           {"queries", card.queries},
                                           {"recall_at_10", card.recall_at_10},
                                           {"p50_ms", card.p50_ms},
                                           {"p99_ms", card.p99_ms},
                                           {"bytes_per_item", card.bytes_per_item}}));
  return card;
}

std::optional<GraphCard> Collection::card() const {
  const auto text = note("card");
  if (!text) return std::nullopt;
  const std::string where = rep_->dir.string() + ": card";
  const json::value parsed = json::parse(*text, where);
  const json::Reader about(parsed, where);
  GraphCard card;
  card.rows = static_cast<std::size_t>(about.integer("rows"));
  card.queries = static_cast<std::size_t>(about.integer("queries"));
  card.recall_at_10 = about.number("recall_at_10");
  card.p50_ms = about.number("p50_ms");
  card.p99_ms = about.number("p99_ms");
  card.bytes_per_item = about.number("bytes_per_item");
  return card;
}

}  // namespace tandem
