// clip-retrieval's back end, for its Python client and its page.
#include <array>
#include <cmath>
#include <fmt/format.h>

#include "serve/answer_json.h"
#include "serve/api.h"
#include "serve/embed_inputs.h"
#include "serve/route.h"
#include "serve/service.h"
#include "tasks/finder.h"

namespace tandem::serve {
namespace {

constexpr std::size_t kBodyBytes = 32 << 20;  // pictures come in base64
constexpr std::size_t kMostIds = 1'000;
constexpr float kNearDuplicate = 0.94F;  // clip_back.py, get_non_uniques
constexpr std::int64_t kMostAsked = 1'000'000'000;

// What its metadata files have as columns: ours, and those of the item's own metadata.
json::object columns_of(const Item& item) {
  json::object columns;
  const json::object ours = item_json(item);
  for (const auto& member : ours.at("metadata").get_object())
    columns[member.key()] = member.value();
  columns["url"] = item.uri;
  columns["image_path"] = item.uri;
  columns["caption"] = item.caption;
  columns["width"] = item.width;
  columns["height"] = item.height;
  columns["sha256"] = item.sha256;
  return columns;
}

std::vector<float> unit_vector(const json::array& numbers, int width) {
  if (numbers.size() != static_cast<std::size_t>(width))
    throw HttpError(422, "dimension_mismatch",
                    fmt::format("embedding_input: {} numbers. Expected {}.", numbers.size(), width),
                    "embedding_input");
  std::vector<double> given;
  double squares = 0;
  for (const json::value& v : numbers) {
    const std::string place = fmt::format("embedding_input[{}]", given.size());
    if (!v.is_number()) refuse(place, place + ": expected a number.");
    given.push_back(v.to_number<double>());
    squares += given.back() * given.back();
  }
  if (!(squares > 0) || !std::isfinite(squares))
    refuse("embedding_input", "embedding_input: expected a vector with a length.");
  std::vector<float> out;
  for (const double x : given) out.push_back(static_cast<float>(x / std::sqrt(squares)));
  return out;
}

struct Asked {
  std::vector<float> vector;
  bool pictorial = false;
};

// Text first, as clip-retrieval does when there is more than one. It sends what it lacks as null.
Asked vector_of(Service& service, const Shelf& shelf, const BodyReader& body,
                const Request& request) {
  using Kind = EmbedInput::Kind;
  const std::string text = body.text("text").value_or("");
  if (!text.empty())
    return {std::move(embed(service, *shelf.model, {{Kind::kText, text, "text"}}, request).values)};
  for (const char* key : {"image", "image_url"}) {
    if (const auto picture = body.text(key))
      return {embed(service, *shelf.model, {{Kind::kPicture, *picture, key}}, request).values,
              true};
  }
  if (const json::array* numbers = body.list("embedding_input"))
    return {unit_vector(*numbers, shelf.store->meta().width)};
  refuse("text",
         "text: expected one of \"text\", \"image\", \"image_url\" and \"embedding_input\".");
}

// Of pictures or of texts only, as its two indices.
ItemFilter of_kind(bool texts) {
  ItemFilter filter;
  filter.op = ItemFilter::Op::kEqual;
  filter.column = "kind";
  filter.values = {std::string(kind_name(texts ? ItemKind::kText : ItemKind::kPicture))};
  return filter;
}

Response knn_service(Service& service, const Request& request) {
  const json::value parsed = parse_body(request, ContentType::kAny);  // its client names no type
  const BodyReader body(parsed);
  const auto shelf = service.shelf(body.text("indice_name").value_or(""));
  const auto modality = body.choice("modality", {"image", "text"});
  const auto shown =
      static_cast<std::size_t>(body.integer("num_images", {0, kMostAsked}).value_or(100));
  const auto wanted = static_cast<std::size_t>(
      body.integer("num_result_ids", {1, kMostAsked})
          .value_or(static_cast<std::int64_t>(std::max<std::size_t>(shown, 1))));
  FindOptions options;
  options.limit = std::min(wanted, kMostRows);
  options.filter = of_kind(modality == 1);
  if (body.boolean("deduplicate", false)) options.collapse_above = kNearDuplicate;
  const Asked asked = vector_of(service, *shelf, body, request);
  const Answer answer =
      find(*shelf->store, asked.vector, asked.pictorial, shelf->calibration.get(), options);
  json::array results;
  for (const Found& found : answer.rows) {
    json::object row = results.size() < shown ? columns_of(found.item) : json::object();
    row["id"] = found.item.id;
    row["similarity"] = number_json(found.score);
    results.push_back(std::move(row));
  }
  return json_answer(std::move(results));
}

Response metadata(Service& service, const Request& request) {
  const json::value parsed = parse_body(request, ContentType::kAny);
  const BodyReader body(parsed);
  const json::array* list = body.list("ids");
  if (list == nullptr || list->size() > kMostIds)
    refuse("ids", fmt::format("ids: expected a list of at most {}.", kMostIds));
  std::vector<std::int64_t> ids;
  for (const json::value& v : *list)
    ids.push_back(integer_at(v, fmt::format("ids[{}]", ids.size())));
  const auto shelf = service.shelf(body.text("indice_name").value_or(""));
  json::array answer;
  for (const Item& item : shelf->store->items(ids))
    answer.push_back(json::object{{"id", item.id}, {"metadata", columns_of(item)}});
  return json_answer(std::move(answer));
}

Response indices_list(Service& service, const Request&) {
  json::array names;
  for (const auto& shelf : service.shelves()) names.emplace_back(shelf->name);
  return json_answer(std::move(names));
}

constexpr std::array kRoutes = {
    Route{"POST", "/knn-service", Access::kRead, kBodyBytes, knn_service},
    Route{"POST", "/metadata", Access::kRead, kBodyBytes, metadata},
    Route{"GET", "/indices-list", Access::kRead, 0, indices_list},
};

}  // namespace

std::span<const Route> clip_retrieval_routes() { return kRoutes; }

}  // namespace tandem::serve
