#include "tasks/finder.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <unordered_map>

#include "core/error.h"
#include "core/json.h"
#include "core/tensor.h"
#include "index/distance.h"

namespace tandem {
namespace {

// Rows that are looked at first: most questions have fewer answers.
constexpr std::size_t kFirstRows = 200;
constexpr std::size_t kMostFacetValues = 20;

struct Row {
  std::int64_t id = 0;
  float score = 0;
  ItemKind kind = ItemKind::kPicture;
  bool relevant = true;
  std::vector<std::int64_t> duplicates;
};

std::vector<std::int64_t> ids_of(std::span<const Row> rows) {
  std::vector<std::int64_t> ids;
  ids.reserve(rows.size());
  for (const auto& row : rows) ids.push_back(row.id);
  return ids;
}

// As halves, which is what is stored and what dot_rows() multiplies.
std::vector<std::uint16_t> halves(const Matrix& vectors) {
  std::vector<std::uint16_t> result;
  result.reserve(vectors.values.size());
  for (const float value : vectors.values) result.push_back(float_to_half(value));
  return result;
}

// One question.
class Finding {
 public:
  Finding(const Store& store, std::span<const float> query, const FindOptions& options)
      : store_(store), query_(query), options_(options) {}

  void measure(const Calibration& calibration, const Relevance& rule) {
    relevance_ = rule;
    mixed_ = calibration.has(ItemKind::kPicture) && calibration.has(ItemKind::kText);
    if (!mixed_ && calibration.has(ItemKind::kText)) only_ = ItemKind::kText;
  }

  Answer run() {
    look();
    Answer answer;
    if (!rows_.empty()) answer.best = rows_.front().score;
    answer.relevant = static_cast<std::size_t>(
        std::count_if(rows_.begin(), rows_.end(), [](const Row& row) { return row.relevant; }));
    answer.relevance = relevance_;
    const std::size_t looked_at = rows_.size();
    std::erase_if(rows_, [&](const Row& row) { return is_left_out(row); });
    if (options_.collapse_above > 0) collapse();
    sort();
    answer.total = rows_.size();
    // Without conditions every row can be paged through, those not looked at, too.
    if (!complete_ && rows_.size() == looked_at)
      answer.total = std::max(rows_.size(), std::min(store_.size(), kMostRows));
    for (const auto& field : options_.facets) answer.facets.push_back(facet(field));
    answer.rows = page();
    return answer;
  }

 private:
  void look() {
    const std::size_t asked = std::min(options_.offset + options_.limit, kMostRows);
    const std::size_t first = std::min(std::max(asked, kFirstRows), kMostRows);
    search(first);
    if (first < kMostRows && !complete_ && !suffices()) search(kMostRows);
  }

  void search(std::size_t count) {
    SearchOptions options;
    options.top_k = count;
    options.filter = options_.filter;
    options.where = options_.where;
    rows_.clear();
    for (const auto& hit : store_.search(query_, options))
      rows_.push_back({.id = hit.id, .score = hit.score, .kind = only_});
    complete_ = rows_.size() < count;
    if (mixed_) read_kinds();
    judge();
  }

  // Whether rows that were not looked at could change nothing that is answered.
  bool suffices() const {
    const float last = rows_.back().score;
    if (relevance_ && last >= lowest_cut()) return false;
    if (options_.least_score) return last < *options_.least_score;
    if (options_.relevant_only && relevance_) return true;  // the last one is left out already
    const bool counted = !options_.facets.empty() || options_.collapse_above > 0 ||
                         options_.filter || !options_.where.empty();
    const bool by_date = options_.sort != SortBy::kRelevance && !relevance_;
    return !counted && !by_date;
  }

  void read_kinds() {
    std::unordered_map<std::int64_t, ItemKind> kinds;
    for (const auto& item : store_.items(ids_of(rows_))) kinds[item.id] = item.kind;
    for (auto& row : rows_) {
      if (const auto known = kinds.find(row.id); known != kinds.end()) row.kind = known->second;
    }
  }

  // The cut-offs that apply, by how far the best row of each kind got; and who is above them.
  void judge() {
    if (!relevance_) return;
    for (const ItemKind kind : {ItemKind::kPicture, ItemKind::kText}) {
      const auto& cut = relevance_->cut(kind);
      const auto best = std::find_if(rows_.begin(), rows_.end(),
                                     [&](const Row& row) { return row.kind == kind; });
      const bool answered = best != rows_.end() && best->score >= cut.best;
      cuts_[static_cast<std::size_t>(kind)] = answered ? cut.rows : cut.best;
    }
    for (auto& row : rows_) row.relevant = row.score >= cuts_[static_cast<std::size_t>(row.kind)];
    relevance_->cut_off = cuts_[static_cast<std::size_t>(mixed_ ? ItemKind::kPicture : only_)];
  }

  float lowest_cut() const {
    return mixed_ ? std::min(cuts_[0], cuts_[1]) : cuts_[static_cast<std::size_t>(only_)];
  }

  bool is_left_out(const Row& row) const {
    if (options_.least_score) return row.score < *options_.least_score;
    return options_.relevant_only && !row.relevant;
  }

  // Each row, best first, takes the later ones that are near to it.
  void collapse() {
    if (rows_.empty()) return;
    const auto vectors = store_.vectors(ids_of(rows_));
    const auto all = halves(vectors);
    std::vector<bool> taken(rows_.size());
    std::vector<Row> kept;
    std::vector<float> scores;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (taken[i]) continue;
      scores.resize(rows_.size() - i - 1);
      dot_rows(vectors.row(i), std::span(all).subspan((i + 1) * vectors.cols), scores);
      for (std::size_t j = i + 1; j < rows_.size(); ++j) {
        if (taken[j] || scores[j - i - 1] < options_.collapse_above) continue;
        taken[j] = true;
        rows_[i].duplicates.push_back(rows_[j].id);
      }
      kept.push_back(std::move(rows_[i]));
    }
    rows_ = std::move(kept);
  }

  void sort() {
    if (options_.sort == SortBy::kRelevance) return;
    std::unordered_map<std::int64_t, std::int64_t> times;
    for (const auto& item : store_.items(ids_of(rows_))) times[item.id] = item.mtime_ns;
    const bool newest = options_.sort == SortBy::kNewest;
    // With a cut-off of one's own, everything above it is what was asked for.
    const auto is_below = [&](const Row& row) { return !options_.least_score && !row.relevant; };
    const auto above_end = std::stable_partition(rows_.begin(), rows_.end(),
                                                 [&](const Row& row) { return !is_below(row); });
    std::stable_sort(rows_.begin(), above_end, [&](const Row& a, const Row& b) {
      return newest ? times[a.id] > times[b.id] : times[a.id] < times[b.id];
    });
  }

  Facet facet(const std::string& field);

  std::vector<Found> page() const {
    const std::size_t begin = std::min(options_.offset, rows_.size());
    const std::size_t end = begin + std::min(options_.limit, rows_.size() - begin);
    const auto shown = std::span(rows_).subspan(begin, end - begin);
    const auto ids = ids_of(shown);
    std::unordered_map<std::int64_t, Item> items;
    for (auto& item : store_.items(ids)) items.emplace(item.id, std::move(item));
    Matrix vectors;
    if (options_.with_vectors && !ids.empty()) vectors = store_.vectors(ids);
    std::vector<Found> found;
    for (std::size_t i = 0; i < shown.size(); ++i) {
      const auto item = items.find(shown[i].id);
      if (item == items.end()) continue;  // removed meanwhile
      Found row;
      row.item = std::move(item->second);
      row.score = shown[i].score;
      row.relevant = shown[i].relevant;
      row.duplicates = shown[i].duplicates;
      if (vectors.rows > 0) row.vector.assign(vectors.row(i).begin(), vectors.row(i).end());
      found.push_back(std::move(row));
    }
    return found;
  }

  const Store& store_;
  std::span<const float> query_;
  const FindOptions& options_;
  std::optional<Relevance> relevance_;
  bool mixed_ = false;                      // pictures and texts
  ItemKind only_ = ItemKind::kPicture;      // unless mixed
  std::array<float, 2> cuts_{-2, -2};       // pictures, texts
  bool complete_ = false;                   // rows_ are all there are
  std::vector<Row> rows_;                   // best first, until sorted
  std::optional<std::vector<Item>> items_;  // of rows_, for facets
};

std::string date_of(std::int64_t mtime_ns) {
  using namespace std::chrono;
  const year_month_day day{floor<days>(sys_time<nanoseconds>(nanoseconds(mtime_ns)))};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

std::string text_of(const json::value& value) {
  return value.is_string() ? std::string(value.as_string()) : json::dump(value);
}

// What an item's metadata holds below `keys`; arrays give several values, objects none.
std::vector<std::string> metadata_values(const Item& item, const std::vector<std::string>& keys) {
  json::value tree;
  try {
    tree = json::parse(item.metadata_json, "metadata");
  } catch (const Error&) {
    return {};
  }
  const json::value* at = &tree;
  for (const auto& key : keys) {
    at = at->is_object() ? at->as_object().if_contains(key) : nullptr;
    if (at == nullptr) return {};
  }
  if (at->is_object() || at->is_null()) return {};
  if (!at->is_array()) return {text_of(*at)};
  std::vector<std::string> values;
  for (const auto& value : at->as_array()) {
    if (!value.is_object() && !value.is_array() && !value.is_null())
      values.push_back(text_of(value));
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

std::vector<std::string> values_of(const Item& item, const ItemFilter& field) {
  const auto& column = field.column;
  if (column == "metadata") return metadata_values(item, field.keys);
  if (column == "id") return {std::to_string(item.id)};
  if (column == "kind") return {std::string(kind_name(item.kind))};
  if (column == "uri") return {item.uri};
  if (column == "sha256") return {item.sha256};
  if (column == "size_bytes") return {std::to_string(item.size_bytes)};
  if (column == "mtime") return {date_of(item.mtime_ns)};
  if (column == "width") return {std::to_string(item.width)};
  if (column == "height") return {std::to_string(item.height)};
  return item.caption.empty() ? std::vector<std::string>{} : std::vector{item.caption};
}

Facet Finding::facet(const std::string& field) {
  // The grammar of filters knows which fields there are.
  const auto parsed = parse_item_filter(json::object{{field, json::object{{"exists", true}}}});
  if (!items_) items_ = store_.items(ids_of(rows_));
  std::unordered_map<std::string, std::size_t> counts;
  for (const auto& item : *items_) {
    for (auto& value : values_of(item, parsed)) ++counts[std::move(value)];
  }
  Facet facet{field, {}};
  for (const auto& [value, count] : counts) facet.values.push_back({value, count});
  std::sort(facet.values.begin(), facet.values.end(), [](const auto& a, const auto& b) {
    return a.count != b.count ? a.count > b.count : a.value < b.value;
  });
  if (facet.values.size() > kMostFacetValues) facet.values.resize(kMostFacetValues);
  return facet;
}

}  // namespace

Answer find(const Store& store, std::span<const float> vector, Asked asked,
            const Calibration* calibration, const FindOptions& options) {
  Finding finding(store, vector, options);
  if (calibration != nullptr) finding.measure(*calibration, relevance(*calibration, vector, asked));
  return finding.run();
}

Answer find(const Store& store, const QueryVector& query, Asked asked,
            const Calibration* calibration, const FindOptions& options) {
  Finding finding(store, query.whole, options);
  if (calibration != nullptr) finding.measure(*calibration, relevance(*calibration, query, asked));
  return finding.run();
}

Answer find(const Store& store, std::span<const float> vector, bool pictorial,
            const Calibration* calibration, const FindOptions& options) {
  return find(store, vector, pictorial ? Asked::kPictures : Asked::kWords, calibration, options);
}

}  // namespace tandem
