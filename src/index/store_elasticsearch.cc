// Source: elastic/elasticsearch-specification (_global/search, bulk, indices), Elasticsearch's
// reference "dense_vector"; OpenSearch's documentation "k-NN vector", "k-NN query".
#include "index/store_elasticsearch.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "index/rest_client.h"
#include "index/store_rest.h"
#include "index/store_text.h"

namespace tandem {
namespace {

constexpr int kPort = 9'200;
constexpr std::size_t kPageRows = 1'000;
constexpr std::size_t kMostFound = 10'000;     // index.max_result_window, and of num_candidates
constexpr std::size_t kMostTermChars = 8'191;  // four bytes each fit into Lucene's 32,766
constexpr const char* kNotes = "tandem_";

// What the two do not share.
struct Dialect {
  const char* name;
  int widest;
  // The vector's field in the mapping.
  json::object (*vector_field)(int width);
  json::object settings;
  // A search's body for `count` nearest ones.
  std::string (*nearest)(const std::string& vector, std::size_t count, const std::string& filter);
  // Newer Elasticsearch leaves vectors out of _source; OpenSearch has them there only.
  bool vectors_as_fields;
};

const Dialect& elasticsearch() {
  static const Dialect dialect = {
      "Elasticsearch",
      4'096,
      [](int width) {
        return json::object{{"type", "dense_vector"},
                            {"dims", width},
                            {"index", true},
                            {"similarity", "cosine"},
                            // Named, or wide vectors are kept in one bit a value.
                            {"index_options", {{"type", "hnsw"}}}};
      },
      json::object{},
      [](const std::string& vector, std::size_t count, const std::string& filter) {
        return fmt::format(
            "\"knn\":{{\"field\":\"embedding\",\"query_vector\":{},\"k\":{},"
            "\"num_candidates\":{}{}}}",
            vector, count, std::clamp<std::size_t>(count * 2, 100, kMostFound),
            filter.empty() ? "" : ",\"filter\":" + filter);
      },
      true};
  return dialect;
}

const Dialect& opensearch() {
  static const Dialect dialect = {
      "OpenSearch",
      16'000,
      [](int width) {
        return json::object{
            {"type", "knn_vector"},
            {"dimension", width},
            {"method", {{"name", "hnsw"}, {"engine", "lucene"}, {"space_type", "cosinesimil"}}}};
      },
      json::object{{"index.knn", true}},
      [](const std::string& vector, std::size_t count, const std::string& filter) {
        return fmt::format("\"query\":{{\"knn\":{{\"embedding\":{{\"vector\":{},\"k\":{}{}}}}}}}",
                           vector, count, filter.empty() ? "" : ",\"filter\":" + filter);
      },
      false};
  return dialect;
}

class ElasticSteps final : public RestSteps {
 public:
  ElasticSteps(StoreLocation& at, const Dialect& dialect)
      : dialect_(dialect),
        name_(at.only_path("index")),
        path_("/" + url_escape(name_, Slashes::kEscape)),
        client_(at, kPort, headers_of(at), at.password.empty() ? at.user : at.password) {
    at.refuse_rest();
  }

  // Finds the index, or makes it. Nothing: there is none.
  std::optional<StoreMeta> open(OpenMode mode, const StoreMeta& asked);
  const std::string& shown() const { return client_.shown(); }

  std::string describe() const override;
  std::size_t most_rows() const override { return most_rows_; }
  std::size_t most_found() const override { return kMostFound; }
  std::optional<NativeFilter> leaf(const ItemFilter& filter) const override;
  json::value all_of(json::array conditions) const override {
    return json::object{{"bool", {{"filter", std::move(conditions)}}}};
  }
  json::value any_of(json::array conditions) const override {
    return json::object{{"bool", {{"should", std::move(conditions)}, {"minimum_should_match", 1}}}};
  }
  json::value none_of(json::value condition) const override {
    return json::object{{"bool", {{"must_not", json::array{std::move(condition)}}}}};
  }
  void write(std::span<const Item* const> items,
             std::span<const std::span<const float>> rows) override;
  void erase(std::span<const std::int64_t> ids) override;
  std::vector<StoredItem> fetch(std::span<const std::int64_t> ids, Want want) const override;
  std::vector<StoredItem> scan(const json::value& condition, Want want,
                               json::value& cursor) const override;
  std::size_t count(const json::value& condition) const override;
  std::vector<StoredItem> nearest(std::span<const float> query, std::size_t count,
                                  const json::value& condition) const override;
  std::optional<std::string> note(const std::string& name) const override;
  void set_note(const std::string& name, const std::string& text) override;

 private:
  static std::vector<std::string> headers_of(const StoreLocation& at) {
    if (!at.password.empty())
      return {"Authorization: Basic " + base64(at.user + ":" + at.password)};
    return at.user.empty() ? std::vector<std::string>()
                           : std::vector{"Authorization: ApiKey " + at.user};
  }
  json::object search(const std::string& body) const;
  std::vector<StoredItem> hits_of(const json::object& answer) const;
  void bulk(const std::string& lines, std::size_t count);
  json::object notes() const;
  std::string source(Want want) const;

  const Dialect& dialect_;
  std::string name_;
  std::string path_;
  RestClient client_;
  std::size_t most_rows_ = 100;
};

// What an item's metadata can be asked for, a text each: camera.make? for what is there, and
// camera.make="Canon" for texts, numbers and truths. Keys with dots cannot be asked for.
void terms_of(const json::object& tree, const std::string& path, json::array& terms) {
  for (const auto& [key, value] : tree) {
    if (value.is_null() || key.empty() || std::string_view(key).find('.') != std::string_view::npos)
      continue;
    const auto name = path.empty() ? std::string(key) : path + "." + std::string(key);
    terms.emplace_back(name + "?");
    if (value.is_object()) terms_of(value.get_object(), name, terms);
    if (value.is_string() || value.is_bool()) terms.emplace_back(name + "=" + json::dump(value));
    if (value.is_number()) terms.emplace_back(name + fmt::format("={}", value.to_number<double>()));
  }
}

std::optional<StoreMeta> ElasticSteps::open(OpenMode mode, const StoreMeta& asked) {
  const auto found = client_.call("GET", path_ + "/_mapping");
  if (found.status == 404 && mode == OpenMode::kRead) return std::nullopt;
  if (found.status == 404) {
    check_width(asked.width, dialect_.widest, shown());
    const json::object keyword = {{"type", "keyword"}, {"ignore_above", kMostTermChars}};
    const json::object whole = {{"type", "long"}};
    const json::object stored = {{"type", "object"}, {"enabled", false}};
    json::object body = {{"mappings",
                          {{"dynamic", false},
                           {"_meta", {{std::string(kNotes) + "store", meta_text(asked)}}},
                           {"properties",
                            {{"id", whole},
                             {"uri", keyword},
                             {"kind", keyword},
                             {"sha256", keyword},
                             {"size_bytes", whole},
                             {"mtime_ns", whole},
                             {"width", whole},
                             {"height", whole},
                             {"caption", keyword},
                             {"metadata", stored},
                             {"terms", keyword},
                             {"embedding", dialect_.vector_field(asked.width)}}}}}};
    if (!dialect_.settings.empty()) body["settings"] = dialect_.settings;
    client_.call("PUT", path_, json::dump(body));
  }
  const auto text = note("store");
  if (!text) throw Error(Kind::kInput, shown() + ": this index is not Tandem's. Use a new name.");
  const auto meta = parse_meta(*text, shown());
  most_rows_ = rows_of_a_request(meta.width);
  return meta;
}

std::string ElasticSteps::describe() const {
  const auto answer = client_.call("GET", "/");
  const auto version = json::Reader(answer.body, shown()).child("version");
  return fmt::format("{} {}, index {}", dialect_.name, version ? version->text("number", "?") : "?",
                     name_);
}

std::optional<NativeFilter> ElasticSteps::leaf(const ItemFilter& filter) const {
  const bool metadata = filter.column == "metadata";
  const auto field = metadata ? "terms" : filter.column == "mtime" ? "mtime_ns" : filter.column;
  std::string path;
  for (const auto& key : filter.keys) path += (path.empty() ? "" : ".") + to_wire(key);
  if (filter.op == ItemFilter::Op::kExists) {
    if (!metadata) return NativeFilter{nullptr, true};
    if (path.size() > kMostTermChars / 2) return std::nullopt;
    return NativeFilter{json::object{{"term", {{"terms", path + "?"}}}}, true};
  }
  if (filter.op == ItemFilter::Op::kEqual || filter.op == ItemFilter::Op::kIn) {
    json::array terms;
    for (const auto& value : filter.values) {
      const auto* text = std::get_if<std::string>(&value);
      const auto* truth = std::get_if<bool>(&value);
      const auto* whole = std::get_if<std::int64_t>(&value);
      if (whole != nullptr && !metadata) {
        terms.push_back(json::value(*whole));
        continue;
      }
      if (text == nullptr && !metadata) return std::nullopt;
      std::string term;
      if (!metadata) {
        term = to_wire(*text);
      } else if (text != nullptr) {
        term = path + "=" + json::dump(json::value(to_wire(*text)));
      } else if (truth != nullptr) {
        term = path + (*truth ? "=true" : "=false");
      } else {
        const double number =
            whole != nullptr ? static_cast<double>(*whole) : std::get<double>(value);
        if (std::abs(number) >= 9007199254740992.0) return std::nullopt;  // 2^53: rounded there
        term = path + fmt::format("={}", number);
      }
      if (term.size() > kMostTermChars) return std::nullopt;  // not indexed
      terms.emplace_back(term);
    }
    return NativeFilter{json::object{{"terms", {{field, std::move(terms)}}}}, true};
  }
  if (filter.op != ItemFilter::Op::kRange || metadata) return std::nullopt;
  json::object range;
  for (const bool least : {true, false}) {
    const auto& bound = least ? filter.least : filter.most;
    if (!bound) continue;
    const auto* whole = std::get_if<std::int64_t>(&bound->value);
    if (whole == nullptr) return std::nullopt;
    range[least ? (bound->inclusive ? "gte" : "gt") : (bound->inclusive ? "lte" : "lt")] = *whole;
  }
  return NativeFilter{json::object{{"range", {{field, std::move(range)}}}}, true};
}

// Some rows of a bulk may be refused and others stored.
void ElasticSteps::bulk(const std::string& lines, std::size_t count) {
  const auto answer = client_.call_lines(path_ + "/_bulk?refresh=true", lines);
  if (answer.status == 404) throw Error(Kind::kNotFound, shown() + ": the index is gone.");
  const json::Reader reader(answer.body, shown());
  if (!reader.boolean("errors", true)) return;
  std::size_t failed = 0;
  std::string first;
  bool busy = true;
  const auto* items = reader.find("items");
  if (items != nullptr && items->is_array()) {
    for (const auto& entry : items->get_array()) {
      const json::Reader outcome(entry.as_object().begin()->value(), shown());
      const auto status = outcome.integer("status", 500);
      if (status < 300 || status == 404) continue;  // 404: was not there to be deleted
      ++failed;
      busy = busy && status == 429;
      const auto error = outcome.child("error");
      if (first.empty() && error)
        first = fmt::format("{}: {}", error->text("type", "?"), error->text("reason", "?"));
    }
  }
  if (failed > 0)
    throw Error(busy ? Kind::kNetwork : Kind::kInput,
                fmt::format("{}: refused {} of {} items: {}", shown(), failed, count,
                            first.substr(0, 300)));
}

void ElasticSteps::write(std::span<const Item* const> items,
                         std::span<const std::span<const float>> rows) {
  std::string lines;
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto fields = fields_of(*items[i]);
    json::array terms;
    terms_of(fields["metadata"].as_object(), "", terms);
    fields["terms"] = std::move(terms);
    fields["id"] = items[i]->id;
    auto document = json::dump(fields);
    document.pop_back();
    lines += fmt::format("{{\"index\":{{\"_id\":\"{}\"}}}}\n{},\"embedding\":{}}}\n", items[i]->id,
                         document, vector_text(rows[i]));
  }
  bulk(lines, items.size());
}

void ElasticSteps::erase(std::span<const std::int64_t> ids) {
  std::string lines;
  for (const auto id : ids) lines += fmt::format("{{\"delete\":{{\"_id\":\"{}\"}}}}\n", id);
  bulk(lines, ids.size());
}

json::object ElasticSteps::search(const std::string& body) const {
  auto answer = client_.call("POST", path_ + "/_search", body);
  if (answer.status == 404) throw Error(Kind::kNotFound, shown() + ": the index is gone.");
  const auto whole = json::Reader(answer.body, shown()).required_child("hits");
  // Shards that failed would be answers left out in silence.
  const auto shards = json::Reader(answer.body, shown()).child("_shards");
  if (shards && shards->integer("failed", 0) > 0)
    throw Error(Kind::kNetwork, fmt::format("{}: {} of its shards did not answer.", shown(),
                                            shards->integer("failed")));
  return whole.raw();
}

std::string ElasticSteps::source(Want want) const {
  if (want == Want::kVectors && !dialect_.vectors_as_fields)
    return "\"_source\":{\"excludes\":[\"terms\"]}";
  std::string out = "\"_source\":{\"excludes\":[\"terms\",\"embedding\"]}";
  if (want == Want::kVectors) out += ",\"fields\":[\"embedding\"]";
  return out;
}

std::vector<StoredItem> ElasticSteps::hits_of(const json::object& answer) const {
  std::vector<StoredItem> out;
  const auto* hits = answer.if_contains("hits");
  if (hits == nullptr || !hits->is_array()) return out;
  for (const auto& hit : hits->get_array()) {
    const json::Reader reader(hit, shown());
    StoredItem stored;
    const auto fields = reader.required_child("_source");
    stored.item = item_of_fields(fields.integer("id"), fields.raw());
    // (1 + cosine) / 2, as Lucene's scores cannot be negative.
    if (reader.has("_score")) stored.score = static_cast<float>(2 * reader.number("_score") - 1);
    const auto* row = fields.find("embedding");
    if (const auto apart = reader.child("fields")) row = apart->find("embedding");
    if (row != nullptr && row->is_array()) {
      for (const auto& value : row->get_array()) stored.vector.push_back(value.to_number<float>());
    }
    out.push_back(std::move(stored));
  }
  return out;
}

std::vector<StoredItem> ElasticSteps::fetch(std::span<const std::int64_t> ids, Want want) const {
  json::array texts;
  for (const auto id : ids) texts.emplace_back(std::to_string(id));
  return hits_of(
      search(fmt::format("{{\"query\":{},\"size\":{},{}}}",
                         json::dump(json::object{{"ids", {{"values", std::move(texts)}}}}),
                         ids.size(), source(want))));
}

std::vector<StoredItem> ElasticSteps::scan(const json::value& condition, Want want,
                                           json::value& cursor) const {
  const auto query = condition.is_null() ? json::value(json::object{{"match_all", json::object()}})
                                         : json::value(condition);
  auto page = hits_of(search(
      fmt::format("{{\"query\":{},\"size\":{},\"sort\":[{{\"id\":\"asc\"}}],{}{}}}",
                  json::dump(query), kPageRows, source(want),
                  cursor.is_null() ? "" : ",\"search_after\":[" + json::dump(cursor) + "]")));
  cursor = page.size() < kPageRows ? json::value() : json::value(page.back().item.id);
  return page;
}

std::size_t ElasticSteps::count(const json::value& condition) const {
  const auto body = condition.is_null() ? "" : json::dump(json::object{{"query", condition}});
  const auto answer = client_.call(body.empty() ? "GET" : "POST", path_ + "/_count", body);
  if (answer.status == 404) throw Error(Kind::kNotFound, shown() + ": the index is gone.");
  return static_cast<std::size_t>(json::Reader(answer.body, shown()).integer("count"));
}

std::vector<StoredItem> ElasticSteps::nearest(std::span<const float> query, std::size_t count,
                                              const json::value& condition) const {
  // The cosine with a row of zeros is not defined, and refused there.
  if (std::all_of(query.begin(), query.end(), [](float value) { return value == 0; })) return {};
  return hits_of(search(fmt::format(
      "{{{},\"size\":{},{}}}",
      dialect_.nearest(vector_text(query), count, condition.is_null() ? "" : json::dump(condition)),
      count, source(Want::kItems))));
}

json::object ElasticSteps::notes() const {
  const auto answer = client_.call("GET", path_ + "/_mapping");
  if (answer.status == 404) throw Error(Kind::kNotFound, shown() + ": the index is gone.");
  const auto* indexes = answer.body.if_object();
  if (indexes == nullptr || indexes->empty()) return {};
  // An alias answers with the name of its index.
  const json::Reader index(indexes->begin()->value(), shown());
  const auto mappings = index.child("mappings");
  const auto meta = mappings ? mappings->child("_meta") : std::nullopt;
  return meta ? meta->raw() : json::object();
}

std::optional<std::string> ElasticSteps::note(const std::string& name) const {
  const auto all = notes();
  const auto* found = all.if_contains(kNotes + name);
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return from_wire(std::string_view(found->get_string()));
}

void ElasticSteps::set_note(const std::string& name, const std::string& text) {
  auto all = notes();  // _meta is replaced as a whole
  all[kNotes + name] = to_wire(text);
  client_.call("PUT", path_ + "/_mapping", json::dump(json::object{{"_meta", std::move(all)}}));
}

std::unique_ptr<Store> open(StoreLocation at, OpenMode mode, const StoreMeta& asked,
                            const Dialect& dialect) {
  auto steps = std::make_unique<ElasticSteps>(at, dialect);
  const auto shown = steps->shown();
  const auto meta = as_errors(shown, [&] { return steps->open(mode, asked); });
  if (!meta)
    throw Error(Kind::kNotFound,
                shown + ": there is no such index. Make it with \"tandem index … --to\".");
  check_same_model(*meta, asked, shown);
  return make_rest_store(std::move(steps), *meta, shown);
}

}  // namespace

std::unique_ptr<Store> open_elasticsearch(StoreLocation at, OpenMode mode, const StoreMeta& asked) {
  return open(std::move(at), mode, asked, elasticsearch());
}

std::unique_ptr<Store> open_opensearch(StoreLocation at, OpenMode mode, const StoreMeta& asked) {
  return open(std::move(at), mode, asked, opensearch());
}

}  // namespace tandem
