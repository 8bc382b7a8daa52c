// Source: Chroma's own description of its API, GET /openapi.json of version 1.5.
#include "index/store_chroma.h"

#include <cstdlib>
#include <fmt/format.h>
#include <unordered_map>

#include "core/error.h"
#include "index/rest_client.h"
#include "index/store_rest.h"
#include "index/store_text.h"

namespace tandem {
namespace {

constexpr int kPort = 8'000;
constexpr int kWidest = 65'535;
constexpr std::size_t kPageRows = 1'000;
constexpr std::size_t kMostFound = 10'000;
constexpr const char* kNotes = "tandem_";  // before a note's name in the collection's metadata

// The texts and truths in an item's metadata, for conditions: "m.camera.make". Keys with dots in
// them cannot be asked for and are left out.
void flatten(const json::object& tree, const std::string& path, json::object& into) {
  for (const auto& [key, value] : tree) {
    if (key.empty() || std::string_view(key).find('.') != std::string_view::npos) continue;
    const auto name = path + "." + std::string(key);
    if (value.is_object()) flatten(value.get_object(), name, into);
    if (value.is_string() || value.is_bool()) into[name] = value;
  }
}

class ChromaSteps final : public RestSteps {
 public:
  ChromaSteps(StoreLocation at, std::vector<std::string> headers)
      : name_(at.only_path("collection")),
        collections_(
            fmt::format("/api/v2/tenants/{}/databases/{}/collections",
                        url_escape(at.take("tenant", "default_tenant"), Slashes::kEscape),
                        url_escape(at.take("database", "default_database"), Slashes::kEscape))),
        client_(at, kPort, std::move(headers), at.password.empty() ? at.user : at.password) {
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
    return json::object{{"$and", std::move(conditions)}};
  }
  json::value any_of(json::array conditions) const override {
    return json::object{{"$or", std::move(conditions)}};
  }
  json::value none_of(json::value) const override { return nullptr; }
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
  json::object collection_metadata() const;
  RestAnswer call(const std::string& what, const json::object& body) const;

  std::string name_;
  std::string collections_;  // path of all of them
  std::string path_;         // of this one
  RestClient client_;
  std::size_t most_rows_ = 100;
};

json::array id_texts(std::span<const std::int64_t> ids) {
  json::array out;
  for (const auto id : ids) out.emplace_back(std::to_string(id));
  return out;
}

const json::array& list_of(const json::value& tree, const char* name) {
  static const json::array kEmpty;
  const auto* found = tree.is_object() ? tree.get_object().if_contains(name) : nullptr;
  return found != nullptr && found->is_array() ? found->get_array() : kEmpty;
}

std::int64_t id_of(const json::value& text) {
  return text.is_string() ? std::strtoll(text.get_string().c_str(), nullptr, 10) : 0;
}

StoredItem stored_of(const json::value& id, const json::value* metadata, const json::value* row) {
  StoredItem out;
  if (metadata != nullptr && metadata->is_object()) {
    json::object fields = metadata->get_object();
    if (const auto* text = fields.if_contains("metadata"); text != nullptr && text->is_string())
      fields["metadata"] = json::parse(json::value(*text).get_string(), "metadata");
    out.item = item_of_fields(0, fields);
  }
  out.item.id = id_of(id);
  if (row != nullptr && row->is_array()) {
    for (const auto& value : row->get_array()) out.vector.push_back(value.to_number<float>());
  }
  return out;
}

std::vector<StoredItem> stored_of_get(const json::value& answer) {
  const auto& ids = list_of(answer, "ids");
  const auto& metadatas = list_of(answer, "metadatas");
  const auto& rows = list_of(answer, "embeddings");
  std::vector<StoredItem> out;
  for (std::size_t i = 0; i < ids.size(); ++i)
    out.push_back(stored_of(ids[i], i < metadatas.size() ? &metadatas[i] : nullptr,
                            i < rows.size() ? &rows[i] : nullptr));
  return out;
}

json::array included(Want want) {
  return want == Want::kVectors ? json::array{"metadatas", "embeddings"} : json::array{"metadatas"};
}

std::optional<StoreMeta> ChromaSteps::open(OpenMode mode, const StoreMeta& asked) {
  auto answer = client_.call("GET", collections_ + "/" + url_escape(name_, Slashes::kEscape));
  if (answer.status == 404 && mode == OpenMode::kRead) return std::nullopt;
  if (answer.status == 404) {
    check_width(asked.width, kWidest, shown());
    const json::object body = {{"name", name_},
                               {"get_or_create", true},
                               {"metadata", {{std::string(kNotes) + "store", meta_text(asked)}}},
                               {"configuration", {{"hnsw", {{"space", "cosine"}}}}}};
    answer = client_.call("POST", collections_, json::dump(body));
  }
  const json::Reader collection(answer.body, shown());
  path_ = collections_ + "/" + url_escape(collection.text("id"), Slashes::kEscape);
  const auto text = note("store");
  if (!text)
    throw Error(Kind::kInput, shown() + ": this collection is not Tandem's. Use a new name.");
  const auto meta = parse_meta(*text, shown());
  const auto limits = client_.call("GET", "/api/v2/pre-flight-checks");
  const auto most = json::Reader(limits.body, shown()).integer("max_batch_size", 100);
  most_rows_ = std::min(static_cast<std::size_t>(std::max<std::int64_t>(most, 1)),
                        rows_of_a_request(meta.width));
  return meta;
}

std::string ChromaSteps::describe() const {
  const auto version = client_.call("GET", "/api/v2/version").body;
  return fmt::format("Chroma, API {}, collection {}",
                     version.is_string() ? std::string(version.get_string()) : "2", name_);
}

std::optional<NativeFilter> ChromaSteps::leaf(const ItemFilter& filter) const {
  std::string name = filter.column == "mtime" ? "mtime_ns" : filter.column;
  if (name == "id") return std::nullopt;
  if (name == "metadata") {
    name = "m";
    for (const auto& key : filter.keys) name += "." + to_wire(key);
  }
  const auto condition = [&name](const char* sign, json::value value) {
    return json::value(json::object{{name, json::object{{sign, std::move(value)}}}});
  };
  if (filter.op == ItemFilter::Op::kEqual || filter.op == ItemFilter::Op::kIn) {
    json::array any;
    for (const auto& value : filter.values) {
      const auto* text = std::get_if<std::string>(&value);
      const auto* truth = std::get_if<bool>(&value);
      const auto* whole = std::get_if<std::int64_t>(&value);
      const bool said = text != nullptr || truth != nullptr || (whole != nullptr && name[0] != 'm');
      if (!said && !(whole != nullptr && name == "mtime_ns")) return std::nullopt;
      any.push_back(condition("$eq", text != nullptr    ? json::value(to_wire(*text))
                                     : truth != nullptr ? json::value(*truth)
                                                        : json::value(*whole)));
    }
    if (any.empty()) return std::nullopt;
    return NativeFilter{any.size() == 1 ? std::move(any.front()) : any_of(std::move(any)), true};
  }
  if (filter.op != ItemFilter::Op::kRange || filter.column == "metadata") return std::nullopt;
  json::array all;
  for (const bool least : {true, false}) {
    const auto& bound = least ? filter.least : filter.most;
    if (!bound) continue;
    const auto* whole = std::get_if<std::int64_t>(&bound->value);
    if (whole == nullptr) return std::nullopt;
    const char* sign =
        least ? (bound->inclusive ? "$gte" : "$gt") : (bound->inclusive ? "$lte" : "$lt");
    all.push_back(condition(sign, *whole));
  }
  return NativeFilter{all.size() == 1 ? std::move(all.front()) : all_of(std::move(all)), true};
}

RestAnswer ChromaSteps::call(const std::string& what, const json::object& body) const {
  auto answer = client_.call("POST", path_ + "/" + what, json::dump(body));
  if (answer.status == 404) throw Error(Kind::kNotFound, shown() + ": the collection is gone.");
  return answer;
}

void ChromaSteps::write(std::span<const Item* const> items,
                        std::span<const std::span<const float>> rows) {
  std::vector<std::int64_t> ids;
  for (const auto* item : items) ids.push_back(item->id);
  // An upsert keeps fields that it does not name, so that they must be named to go.
  std::unordered_map<std::int64_t, json::object> old;
  const auto before =
      call("get", {{"ids", id_texts(ids)}, {"include", json::array{"metadatas"}}}).body;
  const auto& old_metadatas = list_of(before, "metadatas");
  for (std::size_t i = 0; i < old_metadatas.size(); ++i) {
    if (old_metadatas[i].is_object())
      old[id_of(list_of(before, "ids")[i])] = old_metadatas[i].get_object();
  }
  json::array metadatas;
  std::string vectors;
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto fields = fields_of(*items[i]);
    const auto metadata = fields["metadata"].as_object();
    flatten(metadata, "m", fields);
    fields["metadata"] = json::dump(metadata);
    for (const auto& [name, value] : old[ids[i]]) fields.insert({{name, nullptr}});
    metadatas.push_back(std::move(fields));
    vectors += (i == 0 ? "" : ",") + vector_text(rows[i]);
  }
  const auto answer = client_.call(
      "POST", path_ + "/upsert",
      fmt::format("{{\"ids\":{},\"metadatas\":{},\"embeddings\":[{}]}}", json::dump(id_texts(ids)),
                  json::dump(json::value(metadatas)), vectors));
  if (answer.status == 404) throw Error(Kind::kNotFound, shown() + ": the collection is gone.");
}

void ChromaSteps::erase(std::span<const std::int64_t> ids) {
  call("delete", {{"ids", id_texts(ids)}});
}

std::vector<StoredItem> ChromaSteps::fetch(std::span<const std::int64_t> ids, Want want) const {
  return stored_of_get(
      call("get", {{"ids", id_texts(ids)}, {"include", included(want)}, {"limit", ids.size()}})
          .body);
}

std::vector<StoredItem> ChromaSteps::scan(const json::value& condition, Want want,
                                          json::value& cursor) const {
  const auto offset = cursor.is_null() ? 0 : cursor.as_int64();
  json::object body = {{"include", included(want)}, {"limit", kPageRows}, {"offset", offset}};
  if (!condition.is_null()) body["where"] = condition;
  auto page = stored_of_get(call("get", body).body);
  cursor = page.size() < kPageRows ? json::value()
                                   : json::value(offset + static_cast<std::int64_t>(kPageRows));
  return page;
}

std::size_t ChromaSteps::count(const json::value& condition) const {
  if (condition.is_null()) {
    const auto answer = client_.call("GET", path_ + "/count");
    return answer.body.is_int64() ? static_cast<std::size_t>(answer.body.get_int64()) : 0;
  }
  // It counts whole collections only.
  const auto found = call("get", {{"include", json::array()}, {"where", condition}});
  return list_of(found.body, "ids").size();
}

std::vector<StoredItem> ChromaSteps::nearest(std::span<const float> query, std::size_t count,
                                             const json::value& condition) const {
  const auto where = condition.is_null() ? "" : ",\"where\":" + json::dump(condition);
  const auto answer = client_.call(
      "POST", path_ + "/query",
      fmt::format("{{\"query_embeddings\":[{}],\"n_results\":{},\"include\":[\"metadatas\","
                  "\"distances\"]{}}}",
                  vector_text(query), count, where));
  if (answer.status == 404) throw Error(Kind::kNotFound, shown() + ": the collection is gone.");
  const auto first = [&answer](const char* name) -> const json::array& {
    const auto& lists = list_of(answer.body, name);
    static const json::array kEmpty;
    return !lists.empty() && lists[0].is_array() ? lists[0].get_array() : kEmpty;
  };
  const auto& ids = first("ids");
  const auto& metadatas = first("metadatas");
  const auto& distances = first("distances");
  std::vector<StoredItem> out;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    out.push_back(stored_of(ids[i], i < metadatas.size() ? &metadatas[i] : nullptr, nullptr));
    if (i < distances.size() && distances[i].is_number())
      out.back().score = 1 - distances[i].to_number<float>();  // a distance: 1 - cosine
  }
  return out;
}

json::object ChromaSteps::collection_metadata() const {
  const auto answer = client_.call("GET", collections_ + "/" + url_escape(name_, Slashes::kEscape));
  if (answer.status == 404) throw Error(Kind::kNotFound, shown() + ": the collection is gone.");
  const auto* metadata = answer.body.as_object().if_contains("metadata");
  return metadata != nullptr && metadata->is_object() ? metadata->get_object() : json::object();
}

std::optional<std::string> ChromaSteps::note(const std::string& name) const {
  const auto metadata = collection_metadata();
  const auto* found = metadata.if_contains(kNotes + name);
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return from_wire(found->get_string());
}

void ChromaSteps::set_note(const std::string& name, const std::string& text) {
  auto metadata = collection_metadata();
  metadata[kNotes + name] = to_wire(text);
  client_.call("PUT", path_, json::dump(json::object{{"new_metadata", std::move(metadata)}}));
}

}  // namespace

std::unique_ptr<Store> open_chroma(StoreLocation at, OpenMode mode, const StoreMeta& asked) {
  std::vector<std::string> headers;
  if (!at.password.empty())
    headers.push_back("Authorization: Basic " + base64(at.user + ":" + at.password));
  else if (!at.user.empty())
    headers.push_back("x-chroma-token: " + at.user);
  auto steps = std::make_unique<ChromaSteps>(at, std::move(headers));
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
