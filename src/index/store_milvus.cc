// Source: Milvus, "RESTful API reference v2" and "Boolean expression rules".
#include "index/store_milvus.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "index/rest_client.h"
#include "index/store_rest.h"
#include "index/store_text.h"

namespace tandem {
namespace {

constexpr int kPort = 19'530;
constexpr int kWidest = 32'768;
constexpr std::size_t kPageRows = 1'000;
constexpr std::size_t kMostFound = 16'384;  // of one search
constexpr const char* kLongest = "65535";   // bytes of a VarChar
constexpr const char* kFields =
    "\"outputFields\":[\"id\",\"uri\",\"kind\",\"sha256\",\"size_bytes\",\"mtime_ns\",\"width\","
    "\"height\",\"caption\",\"metadata\"";

class MilvusSteps final : public RestSteps {
 public:
  explicit MilvusSteps(StoreLocation& at)
      : name_(at.only_path("collection")),
        database_(at.take("database", "")),
        client_(at, kPort, headers_of(at), at.password.empty() ? at.user : at.password) {
    at.refuse_rest();
  }

  // Finds the collection, or makes it. Nothing: there is none.
  std::optional<StoreMeta> open(OpenMode mode, const StoreMeta& asked);
  const std::string& shown() const { return client_.shown(); }

  std::string describe() const override { return "Milvus, collection " + name_; }
  std::size_t most_rows() const override { return most_rows_; }
  std::size_t most_found() const override { return kMostFound; }
  std::optional<NativeFilter> leaf(const ItemFilter& filter) const override;
  json::value all_of(json::array conditions) const override { return joined(conditions, " and "); }
  json::value any_of(json::array conditions) const override { return joined(conditions, " or "); }
  json::value none_of(json::value condition) const override {
    return json::value("not (" + std::string(condition.as_string()) + ")");
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
    std::vector<std::string> headers = {"Accept-Type-Allow-Int64: true"};
    if (!at.user.empty())
      headers.push_back("Authorization: Bearer " + at.user +
                        (at.password.empty() ? "" : ":" + at.password));
    return headers;
  }
  static json::value joined(const json::array& conditions, const std::string& word) {
    std::string out;
    for (const auto& condition : conditions)
      out += (out.empty() ? "(" : word + "(") + std::string(condition.as_string()) + ")";
    return json::value(out);
  }
  bool has(const std::string& collection) const;
  void create(const std::string& collection, const std::string& fields, const std::string& metric);
  // The answer's "data". `rest` is what follows the collection's name in the body.
  json::value data(const std::string& what, const std::string& collection,
                   const std::string& rest) const;

  std::string name_;
  std::string database_;
  RestClient client_;
  std::size_t most_rows_ = 100;
};

json::value MilvusSteps::data(const std::string& what, const std::string& collection,
                              const std::string& rest) const {
  const auto database =
      database_.empty() ? "" : ",\"dbName\":" + json::dump(json::value(database_));
  const auto answer = client_.call(
      "POST", "/v2/vectordb/" + what,
      fmt::format("{{\"collectionName\":{}{}{}{}}}", json::dump(json::value(collection)), database,
                  rest.empty() ? "" : ",", rest));
  if (answer.status == 404)
    throw Error(Kind::kUnsupported,
                shown() + ": no REST API of version 2. Expected Milvus 2.4 or later.");
  // Refusals come as 200 with a code.
  const json::Reader reader(answer.body, shown());
  const auto code = reader.integer("code");
  if (code != 0 && code != 200) {
    const auto why = reader.text("message", "no reason given").substr(0, 300);
    const bool busy = why.find("rate limit") != std::string::npos;
    const bool gone = code == 100;  // collection not found
    throw Error(busy   ? Kind::kNetwork
                : gone ? Kind::kNotFound
                       : Kind::kInput,
                fmt::format("{}: {}: the server refuses ({}): {}", shown(), what, code, why));
  }
  const auto* found = reader.find("data");
  return found == nullptr ? json::value() : *found;
}

bool MilvusSteps::has(const std::string& collection) const {
  const auto answer = data("collections/has", collection, "");
  return json::Reader(answer, shown()).boolean("has", false);
}

void MilvusSteps::create(const std::string& collection, const std::string& fields,
                         const std::string& metric) {
  data("collections/create", collection,
       fmt::format("\"schema\":{{\"autoID\":false,\"enableDynamicField\":false,\"fields\":[{}]}},"
                   "\"indexParams\":[{{\"fieldName\":\"embedding\",\"indexName\":\"embedding\","
                   "\"metricType\":\"{}\",\"params\":{{\"index_type\":\"AUTOINDEX\"}}}}],"
                   "\"params\":{{\"consistencyLevel\":\"Strong\"}}",
                   fields, metric));
}

std::string field(const std::string& name, const std::string& type) {
  std::string out = fmt::format("{{\"fieldName\":\"{}\",\"dataType\":\"{}\"", name, type);
  if (name == "id") out += ",\"isPrimary\":true";
  if (type == "VarChar")
    out += fmt::format(",\"elementTypeParams\":{{\"max_length\":\"{}\"}}", kLongest);
  return out + "}";
}

std::string vector_field(int width) {
  return fmt::format(
      "{{\"fieldName\":\"embedding\",\"dataType\":\"FloatVector\","
      "\"elementTypeParams\":{{\"dim\":\"{}\"}}}}",
      width);
}

std::optional<StoreMeta> MilvusSteps::open(OpenMode mode, const StoreMeta& asked) {
  const bool there = has(name_);
  if (!there && mode == OpenMode::kRead) return std::nullopt;
  if (!has(name_ + "_tandem")) {
    if (there)
      throw Error(Kind::kInput, shown() + ": this collection is not Tandem's. Use a new name.");
    check_width(asked.width, kWidest, shown());
    std::string fields = field("id", "Int64");
    for (const auto* name : {"uri", "kind", "sha256", "caption"})
      fields += "," + field(name, "VarChar");
    for (const auto* name : {"size_bytes", "mtime_ns", "width", "height"})
      fields += "," + field(name, "Int64");
    create(name_, fields + "," + field("metadata", "JSON") + "," + vector_field(asked.width),
           "COSINE");
    // Last, so that what is half made is not taken for whole.
    create(name_ + "_tandem",
           field("id", "Int64") + "," + field("text", "VarChar") + "," + vector_field(2), "L2");
    set_note("store", meta_text(asked));
  }
  const auto text = note("store");
  if (!text)
    throw Error(Kind::kInput, shown() + ": this collection is not Tandem's. Use a new name.");
  const auto meta = parse_meta(*text, shown());
  most_rows_ = rows_of_a_request(meta.width);
  return meta;
}

// In double quotes, if there is nothing in it that an expression could take for more.
std::optional<std::string> literal(const ItemFilter::Value& value) {
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{:.17g}", *real);
  const auto text = to_wire(std::get<std::string>(value));
  for (const char c : text) {
    if ((c >= 0 && c < ' ') || c == 0x7f || c == '"' || c == '\\' || c == '{') return std::nullopt;
  }
  return "\"" + text + "\"";
}

std::optional<NativeFilter> MilvusSteps::leaf(const ItemFilter& filter) const {
  const bool metadata = filter.column == "metadata";
  if (filter.op == ItemFilter::Op::kExists && !metadata) return NativeFilter{nullptr, true};
  std::string subject = filter.column == "mtime" ? "mtime_ns" : filter.column;
  for (const auto& key : filter.keys) {
    const auto quoted = literal(ItemFilter::Value(key));
    if (!quoted) return std::nullopt;
    subject += "[" + *quoted + "]";
  }
  json::array parts;
  const auto add = [&](const char* sign, const ItemFilter::Value& value) {
    const auto text = literal(value);
    // Numbers of columns are whole; comparing them with others is left to us.
    const bool said = text && (metadata || !std::holds_alternative<double>(value));
    if (said) parts.emplace_back(fmt::format("{} {} {}", subject, sign, *text));
    return said;
  };
  bool range = false;
  if (filter.op == ItemFilter::Op::kEqual || filter.op == ItemFilter::Op::kIn) {
    for (const auto& value : filter.values) {
      if (!add("==", value)) return std::nullopt;
    }
  } else if (filter.op == ItemFilter::Op::kRange) {
    range = true;
    if (filter.least && !add(filter.least->inclusive ? ">=" : ">", filter.least->value))
      return std::nullopt;
    if (filter.most && !add(filter.most->inclusive ? "<=" : "<", filter.most->value))
      return std::nullopt;
  }
  if (parts.empty()) return std::nullopt;
  // What is missing in metadata is neither one nor the other there.
  return NativeFilter{parts.size() == 1 ? parts.front() : joined(parts, range ? " and " : " or "),
                      !metadata};
}

std::int64_t whole_of(const json::value* value) {
  if (value == nullptr) return 0;
  if (value->is_string()) return std::strtoll(value->get_string().c_str(), nullptr, 10);
  return value->is_number() ? value->to_number<std::int64_t>() : 0;
}

std::vector<StoredItem> stored_of(const json::value& rows) {
  std::vector<StoredItem> out;
  if (!rows.is_array()) return out;
  for (const auto& row : rows.get_array()) {
    if (!row.is_object()) continue;
    auto fields = row.get_object();
    for (const auto* name : {"size_bytes", "mtime_ns", "width", "height"})
      fields[name] = whole_of(fields.if_contains(name));  // texts, unless told otherwise
    if (const auto* text = fields.if_contains("metadata"); text != nullptr && text->is_string())
      fields["metadata"] = json::parse(std::string(text->get_string()), "metadata");
    StoredItem stored;
    stored.item = item_of_fields(whole_of(fields.if_contains("id")), fields);
    if (const auto* vector = fields.if_contains("embedding");
        vector != nullptr && vector->is_array()) {
      for (const auto& value : vector->get_array())
        stored.vector.push_back(value.to_number<float>());
    }
    if (const auto* near = fields.if_contains("distance"); near != nullptr && near->is_number())
      stored.score = near->to_number<float>();  // with COSINE: the cosine
    out.push_back(std::move(stored));
  }
  return out;
}

std::string filter_of(const json::value& condition) {
  return "\"filter\":" + (condition.is_null() ? "\"\"" : json::dump(condition));
}

std::string wanted(Want want) {
  return std::string(kFields) + (want == Want::kVectors ? ",\"embedding\"]" : "]");
}

std::string ids_in(std::span<const std::int64_t> ids) {
  return fmt::format("id in [{}]", fmt::join(ids, ","));
}

void MilvusSteps::write(std::span<const Item* const> items,
                        std::span<const std::span<const float>> rows) {
  std::string lines;
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto fields = fields_of(*items[i]);
    fields["id"] = items[i]->id;
    auto text = json::dump(fields);
    text.pop_back();
    lines += fmt::format("{}{},\"embedding\":{}}}", i == 0 ? "" : ",", text, vector_text(rows[i]));
  }
  data("entities/upsert", name_, "\"data\":[" + lines + "]");
}

void MilvusSteps::erase(std::span<const std::int64_t> ids) {
  data("entities/delete", name_, filter_of(json::value(ids_in(ids))));
}

std::vector<StoredItem> MilvusSteps::fetch(std::span<const std::int64_t> ids, Want want) const {
  return stored_of(data("entities/query", name_,
                        fmt::format("{},\"limit\":{},{}", filter_of(json::value(ids_in(ids))),
                                    ids.size(), wanted(want))));
}

std::vector<StoredItem> MilvusSteps::scan(const json::value& condition, Want want,
                                          json::value& cursor) const {
  // Queries with a limit answer in the order of ids, as Milvus' own iterators rely on.
  std::string filter = fmt::format("id > {}", cursor.is_null() ? -1 : cursor.as_int64());
  if (!condition.is_null()) filter += " and (" + std::string(condition.as_string()) + ")";
  auto page = stored_of(data(
      "entities/query", name_,
      fmt::format("{},\"limit\":{},{}", filter_of(json::value(filter)), kPageRows, wanted(want))));
  std::int64_t last = 0;
  for (const auto& stored : page) last = std::max(last, stored.item.id);
  cursor = page.size() < kPageRows ? json::value() : json::value(last);
  return page;
}

std::size_t MilvusSteps::count(const json::value& condition) const {
  const auto rows =
      data("entities/query", name_, filter_of(condition) + ",\"outputFields\":[\"count(*)\"]");
  if (!rows.is_array() || rows.get_array().empty()) return 0;
  return static_cast<std::size_t>(
      whole_of(rows.get_array()[0].as_object().if_contains("count(*)")));
}

std::vector<StoredItem> MilvusSteps::nearest(std::span<const float> query, std::size_t count,
                                             const json::value& condition) const {
  return stored_of(data(
      "entities/search", name_,
      fmt::format("\"data\":[{}],\"annsField\":\"embedding\",\"limit\":{},{},{},"
                  "\"searchParams\":{{\"metricType\":\"COSINE\"}},\"consistencyLevel\":\"Strong\"",
                  vector_text(query), count, filter_of(condition), wanted(Want::kItems))));
}

std::optional<std::string> MilvusSteps::note(const std::string& name) const {
  const std::array ids = {id_of_uri(name)};
  const auto rows =
      data("entities/query", name_ + "_tandem",
           filter_of(json::value(ids_in(ids))) + ",\"limit\":1,\"outputFields\":[\"id\",\"text\"]");
  if (!rows.is_array() || rows.get_array().empty()) return std::nullopt;
  return from_wire(json::Reader(rows.get_array()[0], shown()).text("text"));
}

void MilvusSteps::set_note(const std::string& name, const std::string& text) {
  const json::object row = {
      {"id", id_of_uri(name)}, {"text", to_wire(text)}, {"embedding", json::array{1.0, 0.0}}};
  data("entities/upsert", name_ + "_tandem",
       "\"data\":" + json::dump(json::value(json::array{row})));
}

}  // namespace

std::unique_ptr<Store> open_milvus(StoreLocation at, OpenMode mode, const StoreMeta& asked) {
  auto steps = std::make_unique<MilvusSteps>(at);
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
