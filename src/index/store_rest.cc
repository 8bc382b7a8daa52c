#include "index/store_rest.h"

#include <algorithm>
#include <fmt/format.h>
#include <unordered_map>

#include "core/error.h"
#include "index/store_text.h"

namespace tandem {
namespace {

constexpr std::size_t kFetchRows = 1'000;

float dot(std::span<const float> a, std::span<const float> b) {
  float sum = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) sum += a[i] * b[i];
  return sum;
}

bool better(const StoredItem& a, const StoredItem& b) {
  return a.score != b.score ? a.score > b.score : a.item.id < b.item.id;
}

class RestStore final : public Store {
  // What `call` makes of the steps. A server may answer anything: what is no answer is an Error
  // too.
  template <class Call>
  auto ask(const Call& call) const {
    return as_errors(shown_, [&] { return call(*steps_); });
  }

 public:
  RestStore(std::unique_ptr<RestSteps> steps, StoreMeta meta, std::string shown)
      : steps_(std::move(steps)), meta_(std::move(meta)), shown_(std::move(shown)) {}

  StoreMeta meta() const override { return meta_; }
  std::string describe() const override {
    return ask([](RestSteps& steps) { return steps.describe(); });
  }
  std::size_t size() const override {
    return ask([](RestSteps& steps) { return steps.count(nullptr); });
  }
  void each_known(const std::function<void(const KnownItem&)>& row) const override;
  void upsert(std::span<const Item> items, const Matrix& vectors) override;
  std::size_t remove(std::span<const std::int64_t> ids) override;
  std::vector<Hit> search(std::span<const float> query,
                          const SearchOptions& options) const override;
  std::vector<Item> items(std::span<const std::int64_t> ids) const override;
  Matrix vectors(std::span<const std::int64_t> ids) const override;
  std::vector<std::int64_t> list(const std::optional<ItemFilter>& filter, std::size_t offset,
                                 std::size_t limit) const override;
  std::vector<std::int64_t> sample(std::size_t count) const override;
  std::optional<std::string> note(const std::string& name) const override {
    return ask([&](RestSteps& steps) { return steps.note("note_" + name); });
  }
  void set_note(const std::string& name, const std::string& text) override {
    ask([&](RestSteps& steps) { steps.set_note("note_" + name, text); });
  }

 private:
  template <class Row>
  void scan(const std::optional<ItemFilter>& filter, Want want, const Row& row) const;
  std::vector<StoredItem> search_all(std::span<const float> query,
                                     const SearchOptions& options) const;
  std::unordered_map<std::int64_t, StoredItem> fetch(std::span<const std::int64_t> ids,
                                                     Want want) const;

  std::unique_ptr<RestSteps> steps_;
  StoreMeta meta_;
  std::string shown_;
};

// Every item that `filter` holds for.
template <class Row>
void RestStore::scan(const std::optional<ItemFilter>& filter, Want want, const Row& row) const {
  const auto native = filter ? compile(*filter, *steps_) : NativeFilter{};
  json::value cursor;
  do {
    auto page = ask([&](RestSteps& steps) { return steps.scan(native.condition, want, cursor); });
    for (auto& stored : page) {
      if (!filter || matches(*filter, stored.item)) row(stored);
    }
  } while (!cursor.is_null());
}

void RestStore::each_known(const std::function<void(const KnownItem&)>& row) const {
  scan(std::nullopt, Want::kItems, [&row](StoredItem& stored) {
    auto& item = stored.item;
    row({item.id, std::move(item.uri), std::move(item.sha256), item.size_bytes, item.mtime_ns,
         std::move(item.caption), std::move(item.metadata_json)});
  });
}

void RestStore::upsert(std::span<const Item> items, const Matrix& vectors) {
  check_rows(items, vectors, meta_.width);
  std::vector<Item> named;
  std::vector<std::span<const float>> rows;
  for (const auto i : last_of_each_uri(items)) {
    named.push_back(items[i]);
    named.back().id = id_of_uri(items[i].uri);
    metadata_of(items[i]);  // before anything is written
    rows.push_back(vectors.row(i));
  }
  std::vector<const Item*> pointers;
  for (const auto& item : named) pointers.push_back(&item);
  const auto most = steps_->most_rows();
  for (std::size_t at = 0; at < named.size(); at += most) {
    const auto some = std::min(most, named.size() - at);
    ask([&](RestSteps& steps) {
      steps.write(std::span(pointers).subspan(at, some), std::span(rows).subspan(at, some));
    });
  }
}

std::size_t RestStore::remove(std::span<const std::int64_t> ids) {
  std::vector<std::int64_t> there;
  for (const auto& [id, stored] : fetch(ids, Want::kItems)) there.push_back(id);
  for (std::size_t at = 0; at < there.size(); at += kFetchRows)
    ask([&](RestSteps& steps) {
      steps.erase(std::span(there).subspan(at, std::min(kFetchRows, there.size() - at)));
    });
  return there.size();
}

// What an index left out is found by looking at every row.
std::vector<StoredItem> RestStore::search_all(std::span<const float> query,
                                              const SearchOptions& options) const {
  std::vector<StoredItem> best;
  scan(options.filter, Want::kVectors, [&](StoredItem& stored) {
    stored.score = dot(query, stored.vector);
    stored.vector.clear();
    best.push_back(std::move(stored));
    std::push_heap(best.begin(), best.end(), better);
    if (best.size() <= options.top_k) return;
    std::pop_heap(best.begin(), best.end(), better);
    best.pop_back();
  });
  return best;
}

std::vector<Hit> RestStore::search(std::span<const float> query,
                                   const SearchOptions& options) const {
  check_query(query, meta_.width);
  check_options(options, shown_);
  const auto native =
      options.filter ? compile(*options.filter, *steps_) : NativeFilter{nullptr, true};
  std::vector<StoredItem> found;
  std::optional<std::size_t> total;
  bool whole = options.top_k == 0;
  for (std::size_t count = options.top_k; !whole;) {
    count = std::min(count, steps_->most_found());
    found = ask([&](RestSteps& steps) { return steps.nearest(query, count, native.condition); });
    const auto returned = found.size();
    if (options.filter)
      std::erase_if(found,
                    [&](const StoredItem& one) { return !matches(*options.filter, one.item); });
    if (found.size() >= options.top_k) break;
    if (!total) total = ask([&](RestSteps& steps) { return steps.count(native.condition); });
    whole = returned >= *total;
    if (whole) break;
    if (returned < count || count == steps_->most_found()) {
      found = search_all(query, options);
      break;
    }
    count *= 4;
  }
  std::sort(found.begin(), found.end(), better);
  if (found.size() > options.top_k) found.resize(options.top_k);
  std::vector<Hit> hits;
  for (auto& one : found)
    hits.push_back({one.item.id, one.score, std::move(one.item.uri), std::move(one.item.caption)});
  return hits;
}

std::unordered_map<std::int64_t, StoredItem> RestStore::fetch(std::span<const std::int64_t> ids,
                                                              Want want) const {
  std::vector<std::int64_t> unique(ids.begin(), ids.end());
  std::sort(unique.begin(), unique.end());
  unique.erase(std::unique(unique.begin(), unique.end()), unique.end());
  std::erase_if(unique, [](std::int64_t id) { return id < 0; });  // none of ours
  std::unordered_map<std::int64_t, StoredItem> out;
  for (std::size_t at = 0; at < unique.size(); at += kFetchRows) {
    const auto some = std::min(kFetchRows, unique.size() - at);
    auto page = ask(
        [&](RestSteps& steps) { return steps.fetch(std::span(unique).subspan(at, some), want); });
    for (auto& stored : page) out[stored.item.id] = std::move(stored);
  }
  return out;
}

std::vector<Item> RestStore::items(std::span<const std::int64_t> ids) const {
  const auto found = fetch(ids, Want::kItems);
  std::vector<Item> out;
  for (const auto id : ids) {
    const auto at = found.find(id);
    if (at != found.end()) out.push_back(at->second.item);
  }
  return out;
}

Matrix RestStore::vectors(std::span<const std::int64_t> ids) const {
  const auto found = fetch(ids, Want::kVectors);
  Matrix out(ids.size(), static_cast<std::size_t>(meta_.width));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto at = found.find(ids[i]);
    if (at == found.end())
      throw Error(Kind::kNotFound, fmt::format("{}: no item {}.", shown_, ids[i]));
    if (at->second.vector.size() != out.cols)
      throw Error(Kind::kCorrupt, fmt::format("{}: item {} has another width.", shown_, ids[i]));
    std::copy(at->second.vector.begin(), at->second.vector.end(), out.row(i).begin());
  }
  return out;
}

std::vector<std::int64_t> RestStore::list(const std::optional<ItemFilter>& filter,
                                          std::size_t offset, std::size_t limit) const {
  std::vector<std::pair<std::int64_t, std::int64_t>> newest;  // what sorts first, first
  scan(filter, Want::kItems, [&newest](const StoredItem& stored) {
    newest.emplace_back(-stored.item.mtime_ns, stored.item.id);
  });
  std::sort(newest.begin(), newest.end());
  std::vector<std::int64_t> ids;
  for (auto i = offset; i < newest.size() && ids.size() < limit; ++i)
    ids.push_back(newest[i].second);
  return ids;
}

std::vector<std::int64_t> RestStore::sample(std::size_t count) const {
  std::vector<std::int64_t> all;
  scan(std::nullopt, Want::kItems,
       [&all](const StoredItem& stored) { all.push_back(stored.item.id); });
  std::sort(all.begin(), all.end());
  // Ids are hashes, so that any stretch of them is as good as drawn by chance.
  if (all.size() > count) all.resize(count);
  return all;
}

bool joins(const ItemFilter& filter) {
  return filter.op == ItemFilter::Op::kAnd || filter.op == ItemFilter::Op::kOr ||
         filter.op == ItemFilter::Op::kNot;
}

}  // namespace

NativeFilter compile(const ItemFilter& filter, const RestSteps& steps) {
  if (!joins(filter)) return steps.leaf(filter).value_or(NativeFilter{});
  if (filter.op == ItemFilter::Op::kNot) {
    // The opposite of "more than those" would be "less than those".
    auto child = compile(filter.children.front(), steps);
    if (!child.exact || child.condition.is_null()) return {};
    auto none = steps.none_of(std::move(child.condition));
    const bool said = !none.is_null();
    return {std::move(none), said};
  }
  const bool all = filter.op == ItemFilter::Op::kAnd;
  if (filter.children.empty()) return {nullptr, all};  // "or" of nothing: decided here
  NativeFilter out{nullptr, true};
  json::array conditions;
  for (const auto& child : filter.children) {
    auto compiled = compile(child, steps);
    out.exact = out.exact && compiled.exact;
    if (!compiled.condition.is_null()) {
      conditions.push_back(std::move(compiled.condition));
    } else if (!all) {
      return {nullptr, compiled.exact};  // one of them holds for every item
    }
  }
  if (conditions.size() == 1)
    out.condition = std::move(conditions.front());
  else if (!conditions.empty())
    out.condition = all ? steps.all_of(std::move(conditions)) : steps.any_of(std::move(conditions));
  return out;
}

std::string meta_text(const StoreMeta& meta) {
  return json::dump(json::object{{"format", 1},
                                 {"model", to_wire(meta.model_name)},
                                 {"fingerprint", to_wire(meta.fingerprint)},
                                 {"width", meta.width}});
}

StoreMeta parse_meta(const std::string& text, const std::string& shown) {
  const auto tree = json::parse(text, shown);
  const json::Reader reader(tree, shown);
  if (reader.integer("format") != 1)
    throw Error(Kind::kUnsupported, fmt::format("{}: format {}. Expected 1: use the version of "
                                                "Tandem that made it.",
                                                shown, reader.integer("format")));
  return {from_wire(reader.text("model")), from_wire(reader.text("fingerprint")),
          static_cast<int>(reader.integer("width"))};
}

std::size_t rows_of_a_request(int width) {
  // 13 bytes a value as text; 2 KiB for the rest of an item.
  const auto bytes = 13 * static_cast<std::size_t>(std::max(width, 1)) + 2'048;
  return std::clamp<std::size_t>((std::size_t{8} << 20) / bytes, 1, 1'000);
}

void check_width(int width, int widest, const std::string& shown) {
  if (width < 1 || width > widest)
    throw Error(Kind::kInput,
                fmt::format("{}: vectors of width {}. Expected 1 to {}.", shown, width, widest));
}

json::object fields_of(const Item& item) {
  return {{"uri", to_wire(item.uri)},
          {"kind", kind_name(item.kind)},
          {"sha256", to_wire(item.sha256)},
          {"size_bytes", static_cast<std::int64_t>(item.size_bytes)},
          {"mtime_ns", item.mtime_ns},
          {"width", item.width},
          {"height", item.height},
          {"caption", to_wire(item.caption)},
          {"metadata", to_wire_tree(json::value(metadata_of(item)))}};
}

Item item_of_fields(std::int64_t id, const json::object& fields) {
  const auto text = [&fields](const char* name) -> std::string {
    const auto* value = fields.if_contains(name);
    return value != nullptr && value->is_string() ? from_wire(value->get_string()) : "";
  };
  const auto whole = [&fields](const char* name) -> std::int64_t {
    const auto* value = fields.if_contains(name);
    if (value == nullptr) return 0;
    if (value->is_int64()) return value->get_int64();
    if (value->is_uint64()) return static_cast<std::int64_t>(value->get_uint64());
    return value->is_double() ? static_cast<std::int64_t>(value->get_double()) : 0;
  };
  Item item;
  item.id = id;
  item.kind = text("kind") == "text" ? ItemKind::kText : ItemKind::kPicture;
  item.uri = text("uri");
  item.sha256 = text("sha256");
  item.size_bytes = static_cast<std::uint64_t>(whole("size_bytes"));
  item.mtime_ns = whole("mtime_ns");
  item.width = static_cast<int>(whole("width"));
  item.height = static_cast<int>(whole("height"));
  item.caption = text("caption");
  const auto* metadata = fields.if_contains("metadata");
  if (metadata != nullptr && metadata->is_object())
    item.metadata_json = json::dump(from_wire_tree(*metadata));
  return item;
}

std::unique_ptr<Store> make_rest_store(std::unique_ptr<RestSteps> steps, StoreMeta meta,
                                       std::string shown) {
  return std::make_unique<RestStore>(std::move(steps), std::move(meta), std::move(shown));
}

}  // namespace tandem
