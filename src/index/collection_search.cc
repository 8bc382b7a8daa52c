// Searching a collection: small ones, and few rows of large ones, by computing every score; the
// rest by a graph whose answers are computed again from the stored vectors.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <iterator>
#include <mutex>

#include "core/error.h"
#include "index/collection_rep.h"
#include "index/distance.h"
#include "index/where.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// Rows that a condition leaves and whose scores are all computed, where a graph could be asked:
// this many, or this share of the collection.
constexpr std::size_t kFewRows = 20'000;
constexpr double kFewShare = 0.02;
// Answers of the graph that are computed again for each that is wanted, and some more: its own
// order is an estimate.
constexpr std::size_t kMoreCandidates = 50;
// Vectors that scans may keep in memory; more are read for each scan.
constexpr std::size_t kMaxSnapshotBytes = std::size_t{1} << 30;
constexpr std::size_t kBatchRows = 8'192;
// Conditions whose answers are remembered until the next commit, and how many ids they may be
// together.
constexpr std::size_t kMaxConditions = 16;
constexpr std::size_t kMaxKnownIds = 8'000'000;

std::size_t candidates_for(std::size_t top_k) {
  return std::min(3 * top_k + kMoreCandidates, top_k + top_k / 4 + 500);
}

// The positions in `ids` of those that are in `wanted`; both are ascending.
std::vector<std::size_t> positions_of(const std::vector<std::int64_t>& ids,
                                      const std::vector<std::int64_t>& wanted) {
  std::vector<std::size_t> positions;
  std::size_t at = 0;
  for (const std::int64_t id : wanted) {
    while (at < ids.size() && ids[at] < id) ++at;
    if (at < ids.size() && ids[at] == id) positions.push_back(at);
  }
  return positions;
}

std::vector<Hit> hits_for(Database& reader, const std::vector<Scored>& best) {
  std::vector<Hit> hits;
  Statement select(reader, "SELECT uri, caption FROM items WHERE id = ?");
  for (const Scored& scored : best) {
    select.reset();
    if (!select.bind(1, scored.id).step()) {
      throw Error(Kind::kCorrupt,
                  reader.name() + ": holds vectors without items. Index into a new collection.");
    }
    hits.push_back({scored.id, scored.score, select.text(0), select.text(1)});
  }
  return hits;
}

// The conditions of a search as one text, to recognise them by.
std::string text_of(const SearchOptions& options) {
  std::string text = options.where;
  text += '\0';
  if (!options.filter) return text;
  const BoundSql bound = to_sql(*options.filter);
  text += bound.sql;
  for (const auto& value : bound.values) {
    const std::string shown = std::visit([](const auto& v) { return fmt::format("{}", v); }, value);
    text += fmt::format("\n{}:{}:{}", value.index(), shown.size(), shown);
  }
  return text;
}

// One search, within one read transaction.
class Search {
 public:
  Search(CollectionRep& rep, const StoreMeta& meta, Database& reader, std::span<const float> query,
         const SearchOptions& options)
      : rep_(rep),
        meta_(meta),
        reader_(reader),
        query_(query),
        options_(options),
        state_(read_state(reader, meta)),
        filtered_(!options.where.empty() || options.filter) {}

  std::vector<Scored> run() {
    if (filtered_) wanted_ = matching();
    if (options_.top_k == 0) return {};
    if (const auto graph = fresh_graph()) {
      const std::size_t possible = filtered_ ? wanted_->size() : state_.count;
      const double share = static_cast<double>(possible) / static_cast<double>(state_.count);
      if (filtered_ && (possible <= kFewRows || share < kFewShare)) return all_of(*wanted_);
      // So many that most of the graph would have to be walked.
      const bool many = options_.top_k > possible / 4;
      if (!many) {
        auto best = by_graph(graph);
        if (best.size() >= options_.top_k) return best;
      }
    }
    return by_scan();
  }

 private:
  using Ids = std::vector<std::int64_t>;

  // The ids that the conditions leave.
  std::shared_ptr<const Ids> matching() {
    KnownMatches fresh{text_of(options_), state_.revision, nullptr};
    {
      const std::lock_guard lock(rep_.mutex);
      for (const KnownMatches& known : rep_.matches) {
        if (known.revision == fresh.revision && known.condition == fresh.condition)
          return known.ids;
      }
    }
    Matching found;
    if (!options_.where.empty())
      found = matching_where(reader_, options_.where, options_.where_timeout_ms);
    if (options_.filter) {
      Ids ids = matching_ids(reader_, *options_.filter, options_.where_timeout_ms);
      if (options_.where.empty()) {
        found.ids = std::move(ids);
      } else {
        Ids both;
        std::set_intersection(found.ids.begin(), found.ids.end(), ids.begin(), ids.end(),
                              std::back_inserter(both));
        found.ids = std::move(both);
      }
    }
    fresh.ids = std::make_shared<const Ids>(std::move(found.ids));
    if (found.lasting) remember(fresh);
    return fresh.ids;
  }

  void remember(const KnownMatches& fresh) {
    const std::lock_guard lock(rep_.mutex);
    auto& matches = rep_.matches;
    std::erase_if(matches, [&](const auto& known) { return known.revision < fresh.revision; });
    matches.push_back(fresh);
    const auto ids = [&] {
      std::size_t sum = 0;
      for (const KnownMatches& known : matches) sum += known.ids->size();
      return sum;
    };
    while (!matches.empty() && (matches.size() > kMaxConditions || ids() > kMaxKnownIds))
      matches.erase(matches.begin());
  }

  // The graph, if there is one that fits and the collection is large.
  std::shared_ptr<const Graph> fresh_graph() {
    if (state_.count < options_.graph_rows) return nullptr;
    const std::lock_guard lock(rep_.mutex);
    const auto path = graph_path(rep_);
    std::error_code error;
    const auto time = fs::last_write_time(path, error);
    if (error) return nullptr;
    if (!rep_.graph_seen || rep_.graph_time != time) {
      rep_.graph = nullptr;
      rep_.revisions = nullptr;
      try {
        rep_.graph = std::make_shared<const Graph>(Graph::open(path));
      } catch (const Error& error) {
        // It is derived: without it, searches take longer and answer the same. What the system
        // refused now it may allow the next time.
        if (error.kind() == Kind::kIo) return nullptr;
      }
      rep_.graph_seen = true;
      rep_.graph_time = time;
    }
    if (rep_.graph == nullptr) return nullptr;
    const GraphStamp& stamp = rep_.graph->stamp();
    const bool fits = stamp.width == meta_.width && stamp.fingerprint == meta_.fingerprint &&
                      stamp.revision <= state_.revision;
    return fits ? rep_.graph : nullptr;
  }

  std::vector<Scored> by_scan() {
    if (state_.count * query_.size() * sizeof(std::uint16_t) > kMaxSnapshotBytes)
      return filtered_ ? all_of(*wanted_) : by_reading();
    // Not worth reading everything for.
    const bool large = state_.count >= options_.graph_rows;
    if (filtered_ && large && wanted_->size() <= kFewRows) return all_of(*wanted_);
    std::shared_ptr<const Snapshot> snapshot;
    {
      const std::lock_guard lock(rep_.mutex);
      snapshot = refreshed(rep_.all, -1);
    }
    return best_in(*snapshot, options_.top_k);
  }

  // What `kept` is at this search's revision. Requires: the mutex is held.
  std::shared_ptr<const Snapshot> refreshed(std::shared_ptr<const Snapshot>& kept,
                                            std::int64_t after) {
    if (kept != nullptr && kept->after != after) kept = nullptr;
    if (kept != nullptr && kept->revision == state_.revision) return kept;
    auto fresh = read_snapshot(reader_, state_.revision, after, query_.size(), kept.get());
    // A search that began long ago must not put the newer searches back.
    if (kept == nullptr || kept->revision < state_.revision) kept = fresh;
    return fresh;
  }

  std::vector<Scored> best_in(const Snapshot& snapshot, std::size_t k) const {
    RowSet set{snapshot.ids, snapshot.rows, std::nullopt};
    std::vector<std::size_t> selected;
    if (filtered_) {
      selected = positions_of(snapshot.ids, *wanted_);
      set.selected = selected;
    }
    return best_rows(query_, set, k, options_.threads);
  }

  // Every vector, without keeping them.
  std::vector<Scored> by_reading() {
    TopK best(std::min(options_.top_k, state_.count));
    Ids ids;
    std::vector<std::uint16_t> rows(kBatchRows * query_.size());
    Statement select(reader_, "SELECT id, vector, checksum FROM vectors ORDER BY id");
    for (bool more = true; more;) {
      ids.clear();
      while (ids.size() < kBatchRows && (more = select.step())) {
        const auto row = std::span(rows).subspan(ids.size() * query_.size(), query_.size());
        ids.push_back(select.integer(0));
        copy_vector(reader_, ids.back(), select.blob(1), select.integer(2), row);
      }
      const RowSet set{ids, std::span(rows).first(ids.size() * query_.size()), std::nullopt};
      for (const Scored& row : best_rows(query_, set, options_.top_k, options_.threads))
        best.offer(row);
    }
    return best.sorted();
  }

  // Reads and scores these rows.
  std::vector<Scored> all_of(const Ids& ids) {
    TopK best(std::min(options_.top_k, ids.size()));
    Statement select(reader_, "SELECT vector, checksum FROM vectors WHERE id = ?");
    for (const std::int64_t id : ids) {
      select.reset();
      if (select.bind(1, id).step()) best.offer({id, score(id, select.blob(0), select.integer(1))});
    }
    return best.sorted();
  }

  float score(std::int64_t id, std::span<const std::byte> bytes, std::int64_t checksum) {
    row_.resize(query_.size());
    copy_vector(reader_, id, bytes, checksum, row_);
    float result = 0;
    dot_rows(query_, row_, std::span(&result, 1));
    return result;
  }

  std::vector<Scored> by_graph(const std::shared_ptr<const Graph>& graph) {
    const std::size_t candidates = candidates_for(options_.top_k);
    // Of rows that are allowed: the graph walks past the others until it has as many.
    const std::size_t expansion = std::max(candidates, options_.expansion);
    std::function<bool(std::int64_t)> allowed;
    std::shared_ptr<const Revisions> revisions;
    if (filtered_) {
      revisions = revisions_in(graph);
      allowed = [&](std::int64_t revision) {
        const auto& all = revisions->revisions;
        const auto at = std::lower_bound(all.begin(), all.end(), revision);
        if (at == all.end() || *at != revision) return false;
        const std::int64_t id = revisions->ids[static_cast<std::size_t>(at - all.begin())];
        return std::binary_search(wanted_->begin(), wanted_->end(), id);
      };
    }
    TopK best(options_.top_k);
    Statement select(reader_, "SELECT id, vector, checksum FROM vectors WHERE revision = ?");
    for (const Graph::Found& found : graph->search(query_, candidates, expansion, allowed)) {
      select.reset();
      if (!select.bind(1, found.revision).step()) continue;  // removed or replaced since
      const std::int64_t id = select.integer(0);
      best.offer({id, score(id, select.blob(1), select.integer(2))});
    }
    std::shared_ptr<const Snapshot> recent;
    {
      const std::lock_guard lock(rep_.mutex);
      recent = refreshed(rep_.recent, graph->stamp().revision);
    }
    for (const Scored& row : best_in(*recent, options_.top_k)) best.offer(row);
    return best.sorted();
  }

  std::shared_ptr<const Revisions> revisions_in(const std::shared_ptr<const Graph>& graph) {
    const std::lock_guard lock(rep_.mutex);
    if (rep_.revisions != nullptr && rep_.revisions->graph == graph) return rep_.revisions;
    auto fresh = std::make_shared<Revisions>();
    fresh->graph = graph;
    Statement select(reader_,
                     "SELECT revision, id FROM vectors INDEXED BY vectors_by_revision "
                     "WHERE revision <= ? ORDER BY revision");
    select.bind(1, graph->stamp().revision);
    while (select.step()) {
      fresh->revisions.push_back(select.integer(0));
      fresh->ids.push_back(select.integer(1));
    }
    rep_.revisions = fresh;
    return fresh;
  }

  CollectionRep& rep_;
  const StoreMeta& meta_;
  Database& reader_;
  std::span<const float> query_;
  const SearchOptions& options_;
  const CollectionState state_;
  const bool filtered_;
  std::shared_ptr<const Ids> wanted_;  // what the conditions leave, ascending
  std::vector<std::uint16_t> row_;
};

}  // namespace

std::vector<Hit> Collection::search(std::span<const float> query,
                                    const SearchOptions& options) const {
  const StoreMeta meta = rep_->meta();
  const auto width = static_cast<std::size_t>(meta.width);
  if (query.size() != width ||
      !std::all_of(query.begin(), query.end(), [](float x) { return std::isfinite(x); })) {
    throw Error(Kind::kInput, fmt::format("{}: a query of {} values. Expected {} finite ones.",
                                          rep_->dir.string(), query.size(), width));
  }
  const auto reader = rep_->readers.lease();
  Transaction transaction(*reader, Transaction::Kind::kRead);
  auto hits = hits_for(*reader, Search(*rep_, meta, *reader, query, options).run());
  transaction.commit();
  return hits;
}

}  // namespace tandem
