// Searching a collection: small ones, and few rows of large ones, by computing every score; the
// rest by a graph whose answers are computed again from the stored vectors.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <mutex>
#include <unordered_set>

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
constexpr std::size_t kOversample = 3;
constexpr std::size_t kMoreCandidates = 50;
constexpr std::size_t kMaxExpansion = 4'096;

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

std::vector<Hit> hits_for(Database& reader, const CollectionRep& rep,
                          const std::vector<Scored>& best) {
  std::vector<Hit> hits;
  Statement select(reader, "SELECT uri, caption FROM items WHERE id = ?");
  for (const Scored& scored : best) {
    select.reset();
    if (!select.bind(1, scored.id).step()) {
      throw Error(Kind::kCorrupt,
                  rep.dir.string() + ": holds vectors without items. Index into a new collection.");
    }
    hits.push_back({scored.id, scored.score, select.text(0), select.text(1)});
  }
  return hits;
}

// One search, within one read transaction.
class Search {
 public:
  Search(CollectionRep& rep, Database& reader, std::span<const float> query,
         const SearchOptions& options)
      : rep_(rep),
        reader_(reader),
        query_(query),
        options_(options),
        revision_(last_revision(reader)),
        count_(static_cast<std::size_t>(
            reader.integer("SELECT count(*) FROM vectors INDEXED BY vectors_by_revision"))) {}

  std::vector<Scored> run() {
    const bool filtered = !options_.where.empty();
    if (filtered) wanted_ = matching_ids(reader_, options_.where, options_.where_timeout_ms);
    if (const auto graph = fresh_graph()) {
      const bool few = wanted_.size() <= kFewRows || static_cast<double>(wanted_.size()) <
                                                         kFewShare * static_cast<double>(count_);
      if (filtered && few) return all_of(wanted_);
      auto best = by_graph(*graph, filtered);
      const std::size_t possible = filtered ? wanted_.size() : count_;
      if (best.size() >= std::min(options_.top_k, possible)) return best;
    }
    return by_scan(filtered);
  }

 private:
  // The graph, if there is one that fits and the collection is large.
  std::shared_ptr<const Graph> fresh_graph() {
    if (count_ < options_.graph_rows) return nullptr;
    const std::lock_guard lock(rep_.mutex);
    const auto path = graph_path(rep_);
    std::error_code error;
    const auto time = fs::last_write_time(path, error);
    if (error) return nullptr;
    if (!rep_.graph_seen || rep_.graph_time != time) {
      rep_.graph = nullptr;
      try {
        rep_.graph = std::make_shared<const Graph>(Graph::open(path));
      } catch (const Error&) {
        // It is derived: without it, searches take longer and answer the same.
      }
      rep_.graph_seen = true;
      rep_.graph_time = time;
    }
    if (rep_.graph == nullptr) return nullptr;
    const GraphStamp& stamp = rep_.graph->stamp();
    const bool fits = stamp.width == rep_.meta.width &&
                      stamp.fingerprint == rep_.meta.fingerprint && stamp.revision <= revision_;
    return fits ? rep_.graph : nullptr;
  }

  std::vector<Scored> by_scan(bool filtered) {
    std::shared_ptr<const Snapshot> snapshot;
    {
      const std::lock_guard lock(rep_.mutex);
      if (rep_.all == nullptr || rep_.all->revision != revision_) {
        rep_.all = nullptr;  // the old one makes room before the new one is read
        rep_.all = read_snapshot(reader_, rep_, -1);
      }
      snapshot = rep_.all;
    }
    RowSet set{snapshot->ids, snapshot->rows, std::nullopt};
    std::vector<std::size_t> selected;
    if (filtered) {
      selected = positions_of(snapshot->ids, wanted_);
      set.selected = selected;
    }
    return best_rows(query_, set, options_.top_k, options_.threads);
  }

  // Reads and scores these rows.
  std::vector<Scored> all_of(const std::vector<std::int64_t>& ids) {
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
    copy_vector(rep_, id, bytes, checksum, row_.data());
    float result = 0;
    dot_rows(query_, row_, std::span(&result, 1));
    return result;
  }

  std::vector<Scored> by_graph(const Graph& graph, bool filtered) {
    const std::size_t candidates = kOversample * options_.top_k + kMoreCandidates;
    std::function<bool(std::int64_t)> allowed;
    std::shared_ptr<const Revisions> revisions;
    std::unordered_set<std::int64_t> wanted;
    std::size_t expansion = std::max(candidates, options_.expansion);
    if (filtered) {
      revisions = fresh_revisions();
      wanted.insert(wanted_.begin(), wanted_.end());
      allowed = [&](std::int64_t revision) {
        const auto& all = revisions->revisions;
        const auto at = std::lower_bound(all.begin(), all.end(), revision);
        return at != all.end() && *at == revision &&
               wanted.contains(revisions->ids[static_cast<std::size_t>(at - all.begin())]);
      };
      // The graph passes by the rows that are not allowed: it must look at more.
      const double share = static_cast<double>(wanted_.size()) / static_cast<double>(count_);
      expansion = static_cast<std::size_t>(static_cast<double>(expansion) / share);
    }
    expansion = std::max(candidates, std::min(expansion, kMaxExpansion));
    TopK best(std::min(options_.top_k, count_));
    Statement select(reader_, "SELECT id, vector, checksum FROM vectors WHERE revision = ?");
    for (const Graph::Found& found : graph.search(query_, candidates, expansion, allowed)) {
      select.reset();
      if (!select.bind(1, found.revision).step()) continue;  // removed or replaced since
      const std::int64_t id = select.integer(0);
      best.offer({id, score(id, select.blob(1), select.integer(2))});
    }
    const auto recent = recent_rows(graph.stamp().revision);
    RowSet set{recent->ids, recent->rows, std::nullopt};
    std::vector<std::size_t> selected;
    if (filtered) {
      selected = positions_of(recent->ids, wanted_);
      set.selected = selected;
    }
    for (const Scored& row : best_rows(query_, set, options_.top_k, options_.threads))
      best.offer(row);
    return best.sorted();
  }

  std::shared_ptr<const Snapshot> recent_rows(std::int64_t after) {
    const std::lock_guard lock(rep_.mutex);
    auto& recent = rep_.recent;
    if (recent == nullptr || recent->revision != revision_ || recent->after != after)
      recent = read_snapshot(reader_, rep_, after);
    return recent;
  }

  std::shared_ptr<const Revisions> fresh_revisions() {
    const std::lock_guard lock(rep_.mutex);
    if (rep_.revisions == nullptr || rep_.revisions->revision != revision_) {
      auto fresh = std::make_shared<Revisions>();
      fresh->revision = revision_;
      Statement select(reader_,
                       "SELECT revision, id FROM vectors INDEXED BY vectors_by_revision "
                       "ORDER BY revision");
      while (select.step()) {
        fresh->revisions.push_back(select.integer(0));
        fresh->ids.push_back(select.integer(1));
      }
      rep_.revisions = std::move(fresh);
    }
    return rep_.revisions;
  }

  CollectionRep& rep_;
  Database& reader_;
  std::span<const float> query_;
  const SearchOptions& options_;
  const std::int64_t revision_;
  const std::size_t count_;
  std::vector<std::int64_t> wanted_;  // what the condition leaves, ascending
  std::vector<std::uint16_t> row_;
};

}  // namespace

std::vector<Hit> Collection::search(std::span<const float> query,
                                    const SearchOptions& options) const {
  const auto width = static_cast<std::size_t>(rep_->meta.width);
  if (query.size() != width ||
      !std::all_of(query.begin(), query.end(), [](float x) { return std::isfinite(x); })) {
    throw Error(Kind::kInput, fmt::format("{}: a query of {} values. Expected {} finite ones.",
                                          rep_->dir.string(), query.size(), width));
  }
  const auto reader = rep_->readers.lease();
  Transaction transaction(*reader, Transaction::Kind::kRead);
  auto hits = hits_for(*reader, *rep_, Search(*rep_, *reader, query, options).run());
  transaction.commit();
  return hits;
}

}  // namespace tandem
