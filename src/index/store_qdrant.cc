// Source: qdrant/qdrant docs/redoc/master/openapi.json.
#include "index/store_qdrant.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "index/rest_client.h"
#include "index/store_rest.h"
#include "index/store_text.h"

namespace tandem {
namespace {

constexpr int kPort = 6'333;
constexpr int kWidest = 65'536;
constexpr std::size_t kPageRows = 1'000;
constexpr std::size_t kMostFound = 10'000;

class QdrantSteps final : public RestSteps {
 public:
  explicit QdrantSteps(StoreLocation& at)
      : name_(at.only_path("collection")),
        path_("/collections/" + url_escape(name_, Slashes::kEscape)),
        client_(at, kPort, headers_of(at), at.user) {
    at.refuse_rest();
  }

  // Finds the collection, or makes it. Nothing: there is none.
  std::optional<StoreMeta> open(OpenMode mode, const StoreMeta& asked);
  const std::string& shown() const { return client_.shown(); }

  std::string describe() const override;
  std::size_t most_rows() const override { return most_rows_; }
  std::size_t most_found() const override { return kMostFound; }
  std::optional<NativeFilter> leaf(const ItemFilter& filter) const override;
  json::value all_of(json::array conditions) const override {
    return json::object{{"must", std::move(conditions)}};
  }
  json::value any_of(json::array conditions) const override {
    return json::object{{"should", std::move(conditions)}};
  }
  json::value none_of(json::value condition) const override {
    return json::object{{"must_not", json::array{std::move(condition)}}};
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
    return at.user.empty() ? std::vector<std::string>() : std::vector{"api-key: " + at.user};
  }
  std::string notes_path() const {
    return "/collections/" + url_escape(name_ + "_tandem", Slashes::kEscape);
  }
  // The answer's "result".
  json::value result(const std::string& method, const std::string& path,
                     const std::string& body) const;

  std::string name_;
  std::string path_;
  RestClient client_;
  std::size_t most_rows_ = 100;
};

json::value QdrantSteps::result(const std::string& method, const std::string& path,
                                const std::string& body) const {
  auto answer = client_.call(method, path, body);
  if (answer.status == 404)
    throw Error(Kind::kNotFound, shown() + ": there is no such collection.");
  auto* object = answer.body.if_object();
  auto* found = object == nullptr ? nullptr : object->if_contains("result");
  if (found == nullptr)
    throw Error(Kind::kUnsupported, shown() + ": its answer has no \"result\". Expected Qdrant.");
  return std::move(*found);
}

json::array ids_of(std::span<const std::int64_t> ids) {
  return json::array(ids.begin(), ids.end());
}

// A point of any of the answers.
StoredItem stored_of(const json::value& point) {
  StoredItem out;
  const auto* object = point.if_object();
  if (object == nullptr) return out;
  const auto* id = object->if_contains("id");
  const auto* payload = object->if_contains("payload");
  const auto* vector = object->if_contains("vector");
  const auto* score = object->if_contains("score");
  if (payload != nullptr && payload->is_object())
    out.item = item_of_fields(0, payload->get_object());
  if (id != nullptr && id->is_number()) out.item.id = id->to_number<std::int64_t>();
  if (vector != nullptr && vector->is_array()) {
    for (const auto& value : vector->get_array()) out.vector.push_back(value.to_number<float>());
  }
  if (score != nullptr && score->is_number()) out.score = score->to_number<float>();
  return out;
}

std::vector<StoredItem> stored_of_all(const json::value* points) {
  std::vector<StoredItem> out;
  if (points == nullptr || !points->is_array()) return out;
  for (const auto& point : points->get_array()) out.push_back(stored_of(point));
  return out;
}

// As a whole filter, which a single condition is not yet.
json::value filter_of(const json::value& condition) {
  const auto& object = condition.as_object();
  if (object.contains("must") || object.contains("should") || object.contains("must_not"))
    return condition;
  return json::object{{"must", json::array{condition}}};
}

std::optional<StoreMeta> QdrantSteps::open(OpenMode mode, const StoreMeta& asked) {
  const bool there = client_.call("GET", path_).status != 404;
  if (!there && mode == OpenMode::kRead) return std::nullopt;
  if (client_.call("GET", notes_path()).status == 404) {
    if (there)
      throw Error(Kind::kInput, shown() + ": this collection is not Tandem's. Use a new name.");
    check_width(asked.width, kWidest, shown());
    result("PUT", path_,
           json::dump(json::object{{"vectors", {{"size", asked.width}, {"distance", "Cosine"}}}}));
    for (const auto& [field, type] : {std::pair{"kind", "keyword"},
                                      {"uri", "keyword"},
                                      {"sha256", "keyword"},
                                      {"size_bytes", "integer"},
                                      {"mtime_ns", "integer"},
                                      {"width", "integer"},
                                      {"height", "integer"}})
      result("PUT", path_ + "/index?wait=true",
             json::dump(json::object{{"field_name", field}, {"field_schema", type}}));
    // Last, so that what is half made is not taken for whole.
    result("PUT", notes_path(),
           json::dump(json::object{{"vectors", {{"size", 1}, {"distance", "Dot"}}}}));
    set_note("store", meta_text(asked));
  }
  const auto text = note("store");
  if (!text)
    throw Error(Kind::kInput, shown() + ": this collection is not Tandem's. Use a new name.");
  const auto meta = parse_meta(*text, shown());
  most_rows_ = rows_of_a_request(meta.width);
  return meta;
}

std::string QdrantSteps::describe() const {
  const auto answer = client_.call("GET", "/");
  return fmt::format("Qdrant {}, collection {}",
                     json::Reader(answer.body, shown()).text("version", "?"), name_);
}

// Keys that mean themselves in Qdrant's paths.
bool plain_keys(const std::vector<std::string>& keys) {
  return std::all_of(keys.begin(), keys.end(), [](const std::string& key) {
    return std::all_of(key.begin(), key.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '-';
    });
  });
}

// Qdrant compares numbers as doubles: from here on different ones may be the same.
constexpr double kExactInteger = 9007199254740992.0;  // 2^53

double number_of(const ItemFilter::Value& value) {
  const auto* whole = std::get_if<std::int64_t>(&value);
  return whole != nullptr ? static_cast<double>(*whole) : std::get<double>(value);
}

std::optional<NativeFilter> range_of(const ItemFilter& filter, const std::string& key) {
  json::object range;
  bool exact = true;
  for (const bool least : {true, false}) {
    const auto& bound = least ? filter.least : filter.most;
    if (!bound) continue;
    if (std::holds_alternative<std::string>(bound->value)) return std::nullopt;
    const double number = number_of(bound->value);
    const bool sharp = std::abs(number) < kExactInteger;
    exact = exact && sharp;
    const bool inclusive = bound->inclusive || !sharp;
    range[least ? (inclusive ? "gte" : "gt") : (inclusive ? "lte" : "lt")] = number;
  }
  return NativeFilter{json::object{{"key", key}, {"range", range}}, exact};
}

std::optional<NativeFilter> QdrantSteps::leaf(const ItemFilter& filter) const {
  if (filter.column == "id" || !plain_keys(filter.keys)) return std::nullopt;
  const bool metadata = filter.column == "metadata";
  std::string key = filter.column == "mtime" ? "mtime_ns" : filter.column;
  for (const auto& part : filter.keys) key += "." + part;
  if (filter.op == ItemFilter::Op::kExists && !metadata) return NativeFilter{nullptr, true};
  std::optional<NativeFilter> out;
  if (filter.op == ItemFilter::Op::kRange) {
    out = range_of(filter, key);
  } else if (filter.op == ItemFilter::Op::kEqual || filter.op == ItemFilter::Op::kIn) {
    out = NativeFilter{nullptr, true};
    json::array any;
    for (const auto& value : filter.values) {
      const auto* text = std::get_if<std::string>(&value);
      const auto* truth = std::get_if<bool>(&value);
      if (text != nullptr || truth != nullptr) {
        any.push_back(json::object{
            {"key", key},
            {"match",
             {{"value", text != nullptr ? json::value(to_wire(*text)) : json::value(*truth)}}}});
        continue;
      }
      const double number = number_of(value);
      out->exact = out->exact && std::abs(number) < kExactInteger;
      any.push_back(json::object{{"key", key}, {"range", {{"gte", number}, {"lte", number}}}});
    }
    if (any.empty()) return std::nullopt;
    out->condition = any.size() == 1 ? std::move(any.front()) : any_of(std::move(any));
  }
  // A list fulfils what one of its entries does.
  if (out && metadata) out->exact = false;
  return out;
}

void QdrantSteps::write(std::span<const Item* const> items,
                        std::span<const std::span<const float>> rows) {
  std::string body = "{\"points\":[";
  for (std::size_t i = 0; i < items.size(); ++i)
    body += fmt::format("{}{{\"id\":{},\"vector\":{},\"payload\":{}}}", i == 0 ? "" : ",",
                        items[i]->id, vector_text(rows[i]), json::dump(fields_of(*items[i])));
  result("PUT", path_ + "/points?wait=true", body + "]}");
}

void QdrantSteps::erase(std::span<const std::int64_t> ids) {
  result("POST", path_ + "/points/delete?wait=true",
         json::dump(json::object{{"points", ids_of(ids)}}));
}

std::vector<StoredItem> QdrantSteps::fetch(std::span<const std::int64_t> ids, Want want) const {
  const auto points = result(
      "POST", path_ + "/points",
      json::dump(json::object{
          {"ids", ids_of(ids)}, {"with_payload", true}, {"with_vector", want == Want::kVectors}}));
  return stored_of_all(&points);
}

std::vector<StoredItem> QdrantSteps::scan(const json::value& condition, Want want,
                                          json::value& cursor) const {
  json::object body = {
      {"limit", kPageRows}, {"with_payload", true}, {"with_vector", want == Want::kVectors}};
  if (!condition.is_null()) body["filter"] = filter_of(condition);
  if (!cursor.is_null()) body["offset"] = cursor;
  auto page = result("POST", path_ + "/points/scroll", json::dump(body));
  const auto* next = page.as_object().if_contains("next_page_offset");
  cursor = next == nullptr ? json::value() : *next;
  return stored_of_all(page.as_object().if_contains("points"));
}

std::size_t QdrantSteps::count(const json::value& condition) const {
  json::object body = {{"exact", true}};
  if (!condition.is_null()) body["filter"] = filter_of(condition);
  const auto counted = result("POST", path_ + "/points/count", json::dump(body));
  return static_cast<std::size_t>(json::Reader(counted, shown()).integer("count"));
}

std::vector<StoredItem> QdrantSteps::nearest(std::span<const float> query, std::size_t count,
                                             const json::value& condition) const {
  const auto filter = condition.is_null() ? "" : ",\"filter\":" + json::dump(filter_of(condition));
  const auto found = result("POST", path_ + "/points/query",
                            fmt::format("{{\"query\":{},\"limit\":{},\"with_payload\":true{}}}",
                                        vector_text(query), count, filter));
  return stored_of_all(found.as_object().if_contains("points"));
}

std::optional<std::string> QdrantSteps::note(const std::string& name) const {
  const std::array ids = {id_of_uri(name)};
  const auto points =
      result("POST", notes_path() + "/points",
             json::dump(json::object{
                 {"ids", ids_of(ids)}, {"with_payload", true}, {"with_vector", false}}));
  if (!points.is_array() || points.get_array().empty()) return std::nullopt;
  const json::Reader point(points.get_array()[0], shown());
  return from_wire(point.required_child("payload").text("text"));
}

void QdrantSteps::set_note(const std::string& name, const std::string& text) {
  const json::object point = {{"id", id_of_uri(name)},
                              {"vector", json::array{1.0}},
                              {"payload", {{"name", name}, {"text", to_wire(text)}}}};
  result("PUT", notes_path() + "/points?wait=true",
         json::dump(json::object{{"points", json::array{point}}}));
}

}  // namespace

std::unique_ptr<Store> open_qdrant(StoreLocation at, OpenMode mode, const StoreMeta& asked) {
  auto steps = std::make_unique<QdrantSteps>(at);
  const auto shown = steps->shown();
  const auto meta = as_errors(shown, [&] { return steps->open(mode, asked); });
  if (!meta)
    throw Error(Kind::kNotFound, shown +
                                     ": there is no such collection. Make it with \"tandem "
                                     "index … --to\".");
  check_same_model(*meta, asked, shown);
  return make_rest_store(std::move(steps), *meta, shown);
}

}  // namespace tandem
