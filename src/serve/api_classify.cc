// POST /v1/classify.
#include <algorithm>
#include <fmt/format.h>
#include <numeric>

#include "tandem/error.h"

#include "serve/answer_json.h"
#include "serve/api.h"
#include "serve/embed_inputs.h"
#include "tasks/zero_shot.h"

namespace tandem::serve {
namespace {

constexpr std::size_t kMostLabels = 1'000;
constexpr std::size_t kMostLabelTexts = 8'192;  // labels times templates
constexpr std::size_t kMostIds = 1'000;

struct Subjects {
  std::shared_ptr<const ServedModel> model;
  Matrix vectors;  // (B,E)
};

Subjects stored(Service& service, const BodyReader& body) {
  const json::array& list = *body.list("ids");
  if (list.empty() || list.size() > kMostIds)
    refuse("ids", fmt::format("ids: expected 1 to {} of them.", kMostIds));
  std::vector<std::int64_t> ids;
  for (const json::value& v : list)
    ids.push_back(integer_at(v, fmt::format("ids[{}]", ids.size())));
  const auto shelf = service.shelf(body.text("collection").value_or(""));
  if (const auto name = body.text("model"); name && *name != shelf->model->name)
    refuse("model", fmt::format("model: {} was made with {}.", shelf->name, shelf->model->name));
  try {
    return {shelf->model, shelf->store->vectors(ids)};
  } catch (const Error& error) {
    if (error.kind() != Kind::kNotFound) throw;
    throw HttpError(404, "item_not_found", "ids: not all of these items are there.", "ids");
  }
}

Subjects sent(Service& service, const BodyReader& body, const Request& request) {
  std::vector<EmbedInput> inputs;
  for (std::string& picture : body.texts("pictures"))
    inputs.push_back({EmbedInput::Kind::kPicture, std::move(picture),
                      fmt::format("pictures[{}]", inputs.size())});
  check_count(service, inputs.size(), "pictures");
  auto model = service.model(body.text("model").value_or(""));
  Matrix vectors = embed(service, *model, inputs, request);
  return {std::move(model), std::move(vectors)};
}

json::object ranked(const std::vector<std::string>& labels, std::span<const float> cosines,
                    const Model& model) {
  const auto chances = probabilities(cosines, model.logit_scale(), model.logit_bias());
  std::vector<std::size_t> order(labels.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return cosines[a] > cosines[b]; });
  json::array list;
  for (const std::size_t i : order)
    list.push_back(json::object{{"label", labels[i]},
                                {"cosine", number_json(cosines[i])},
                                {"probability", number_json(chances[i])}});
  return {{"labels", std::move(list)}};
}

}  // namespace

json::object classify_answer(Service& service, const json::value& body, const Request& request) {
  const BodyReader reader(body);
  reader.refuse_unknown({"model", "collection", "pictures", "ids", "labels", "templates"});
  if (reader.has("pictures") == reader.has("ids"))
    refuse("pictures", "pictures: expected exactly one of \"pictures\" and \"ids\".");
  const std::vector<std::string> labels = reader.texts("labels");
  if (labels.empty() || labels.size() > kMostLabels)
    refuse("labels", fmt::format("labels: expected 1 to {} of them.", kMostLabels));
  const Subjects subjects =
      reader.has("ids") ? stored(service, reader) : sent(service, reader, request);
  const auto templates = templates_of(service, reader, subjects.model->templates);
  if (labels.size() * templates.size() > kMostLabelTexts)
    throw HttpError(413, "too_many_items",
                    fmt::format("labels: {} labels in {} templates. Expected at most {} texts.",
                                labels.size(), templates.size(), kMostLabelTexts),
                    "labels");
  const Matrix texts = class_embeddings(
      [&](const std::vector<std::string>& all) {
        return embed_many(service, *subjects.model, all, request);
      },
      labels, templates);
  const Matrix scores = cosines(subjects.vectors, texts);
  json::array results;
  for (std::size_t i = 0; i < scores.rows; ++i)
    results.push_back(ranked(labels, scores.row(i), subjects.model->model));
  return {{"model", subjects.model->name}, {"results", std::move(results)}};
}

}  // namespace tandem::serve
