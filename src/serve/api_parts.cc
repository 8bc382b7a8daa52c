// What Tandem's own routes share.
#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "tandem/error.h"

#include "preprocess/templates.h"
#include "serve/answer_json.h"
#include "serve/api.h"

namespace tandem::serve {
namespace {

constexpr std::array<std::string_view, 4> kSets = {"none", "simple", "openai", "icons"};
constexpr std::size_t kMostTemplates = 100;

std::string last_part(const std::string& uri) {
  const std::size_t end = uri.find_last_not_of('/');
  if (end == std::string::npos) return uri;
  const std::size_t slash = uri.find_last_of('/', end);
  return uri.substr(slash == std::string::npos ? 0 : slash + 1, end - (slash + 1) + 1);
}

json::value metadata_of(const Item& item) {
  try {
    json::value metadata = json::parse(item.metadata_json, "metadata");
    if (metadata.is_object()) return metadata;
  } catch (const Error&) {  // written by another program: as good as none
  }
  return json::object();
}

}  // namespace

json::object item_json(const Item& item) {
  return {{"id", item.id},
          {"kind", kind_name(item.kind)},
          {"uri", item.uri},
          {"name", last_part(item.uri)},
          {"caption", item.caption},
          {"width", item.width},
          {"height", item.height},
          {"size_bytes", item.size_bytes},
          {"modified", iso_time(item.mtime_ns)},
          {"sha256", item.sha256},
          {"metadata", metadata_of(item)}};
}

std::optional<ItemFilter> filter_of(const json::value* tree) {
  if (tree == nullptr) return std::nullopt;
  try {
    return parse_item_filter(*tree);
  } catch (const Error& error) {
    refuse("filter", error.what());
  }
}

std::optional<ItemFilter> filter_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  try {
    return parse_item_filter(std::string_view(text));
  } catch (const Error& error) {
    refuse("filter", error.what());
  }
}

std::vector<std::string> templates_of(const Service& service, const BodyReader& body,
                                      const std::vector<std::string>& fallback) {
  const json::value* given = body.find("templates");
  if (given == nullptr) return fallback;
  if (!given->is_array()) {
    const std::string name = text_at(*given, body.place("templates"));
    // Never a file: names come from strangers.
    if (std::find(kSets.begin(), kSets.end(), name) == kSets.end())
      refuse("templates",
             "templates: expected \"none\", \"simple\", \"openai\", \"icons\" or a list of texts.");
    return load_templates(name, service.options().assets);
  }
  std::vector<std::string> templates = body.texts("templates");
  if (templates.empty() || templates.size() > kMostTemplates)
    refuse("templates", fmt::format("templates: expected 1 to {} of them.", kMostTemplates));
  for (std::size_t i = 0; i < templates.size(); ++i) {
    if (templates[i].find("{}") != std::string::npos) continue;
    const std::string place = fmt::format("templates[{}]", i);
    refuse(place, place + ": expected a text with {} where the label goes.");
  }
  return templates;
}

Matrix embed_many(Service& service, const ServedModel& model, const std::vector<std::string>& texts,
                  const Request& request) {
  const std::size_t most = service.options().max_batch_items;
  Matrix all;
  all.rows = texts.size();
  for (std::size_t start = 0; start < texts.size(); start += most) {
    const auto first = texts.begin() + static_cast<std::ptrdiff_t>(start);
    const auto last = first + static_cast<std::ptrdiff_t>(std::min(most, texts.size() - start));
    const Matrix part = service.embed_texts(model, {first, last}, request);
    all.cols = part.cols;
    all.values.insert(all.values.end(), part.values.begin(), part.values.end());
  }
  return all;
}

json::object collections_answer(Service& service) {
  json::array list;
  for (const auto& shelf : service.shelves()) {
    json::value card = nullptr;
    if (const auto note = shelf->store->note("card")) {
      try {
        card = json::parse(*note, "card");
      } catch (const Error&) {  // none then
      }
    }
    if (!card.is_object()) card = nullptr;
    list.push_back(json::object{{"name", shelf->name},
                                {"model", shelf->model->name},
                                {"items", shelf->store->size()},
                                {"calibrated", shelf->calibration != nullptr},
                                {"writable", shelf->writable},
                                {"card", std::move(card)}});
  }
  return {{"collections", std::move(list)}};
}

void require_writable(const Shelf& shelf) {
  if (shelf.writable) return;
  throw HttpError(403, "read_only",
                  fmt::format("{}: this collection is served for reading only.", shelf.name),
                  "collection");
}

}  // namespace tandem::serve
