#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "serve/answer_json.h"
#include "serve/api.h"
#include "serve/embed_inputs.h"
#include "serve/mcp_tools.h"

namespace tandem::serve {
namespace {

constexpr std::size_t kLeastThings = 2;
constexpr std::size_t kMostThings = 16;
constexpr std::size_t kMostShown = 60;  // bytes of a thing's name in the text
// Of a normal distribution, one in six lies above the first, one in 44 and one in 740.
constexpr double kWeakly = 1;
constexpr double kRelated = 2;
constexpr double kStrongly = 3;

struct Thing {
  bool text = false;
  std::string name;
  std::vector<float> vector;
};

// What chance gives: mean and deviation of a vector's cosines with vectors of nothing in
// particular.
struct Chance {
  double mean = 0;
  double deviation = 0;
};

double dot(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::optional<Chance> chance(std::span<const float> vector, const Matrix& background) {
  if (background.rows < 2) return std::nullopt;
  double sum = 0;
  double squares = 0;
  for (std::size_t i = 0; i < background.rows; ++i) {
    const double cosine = dot(vector, background.row(i));
    sum += cosine;
    squares += cosine * cosine;
  }
  const double n = static_cast<double>(background.rows);
  const double mean = sum / n;
  const double variance = squares / n - mean * mean;
  if (!(variance > 0)) return std::nullopt;
  return Chance{mean, std::sqrt(variance)};
}

const char* words(double deviations) {
  if (deviations < kWeakly) return "unrelated";
  if (deviations < kRelated) return "weakly related";
  return deviations < kStrongly ? "related" : "strongly related";
}

struct Space {
  std::shared_ptr<const ServedModel> model;
  std::shared_ptr<const Shelf> shelf;  // null: no collection is served
  Matrix captions;                     // null captions
  Matrix pictures;                     // a sample of the collection's
};

Thing thing_of(Service& service, const Space& space, const json::value& v, const std::string& place,
               const Request& request) {
  const BodyReader reader(v, place);
  reader.refuse_unknown({"text", "picture", "id"});
  if (reader.has("text") + reader.has("picture") + reader.has("id") != 1)
    refuse(place, place + ": expected exactly one of \"text\", \"picture\" and \"id\".");
  if (const auto text = reader.text("text"))
    return {
        true, *text,
        embed(service, *space.model, {{EmbedInput::Kind::kText, *text, place}}, request).values};
  if (const auto path = reader.text("picture")) {
    const std::string source = picture_source(service, *path, reader.place("picture"));
    return {false, *path,
            embed(service, *space.model, {{EmbedInput::Kind::kPicture, source, place}}, request)
                .values};
  }
  const std::int64_t ids[] = {*reader.integer("id")};
  if (space.shelf == nullptr) refuse(place, place + ": no collection is served.");
  const auto items = space.shelf->store->items(ids);
  if (items.empty())
    throw HttpError(404, "item_not_found", place + ": no item has this id.", reader.place("id"));
  return {items.front().kind == ItemKind::kText, fmt::format("#{}", ids[0]),
          space.shelf->store->vectors(ids).values};
}

Matrix pictures_of(const Calibration& calibration) {
  Matrix pictures;
  pictures.cols = calibration.sample.cols;
  for (std::size_t i = 0; i < calibration.sample.rows; ++i) {
    if (calibration.kinds[i] != ItemKind::kPicture) continue;
    const auto row = calibration.sample.row(i);
    pictures.values.insert(pictures.values.end(), row.begin(), row.end());
    ++pictures.rows;
  }
  return pictures;
}

Space space_of(Service& service, const BodyReader& reader, const Request& request) {
  Space space;
  if (reader.has("collection") || !service.shelves().empty())
    space.shelf = service.shelf(reader.text("collection").value_or(""));
  space.model = space.shelf != nullptr ? space.shelf->model : service.model("");
  if (space.shelf != nullptr && space.shelf->calibration != nullptr)
    space.pictures = pictures_of(*space.shelf->calibration);
  const auto& captions = service.options().null_captions;
  if (!captions.empty()) space.captions = embed_many(service, *space.model, captions, request);
  return space;
}

// How many deviations above chance a pair is. Comparisons with a text are measured from the other
// side: a picture against captions; of two texts, both against captions, and the lower counts.
std::optional<double> deviations(const Space& space, const Thing& a, const Thing& b,
                                 double cosine) {
  const auto from = [&](const Thing& thing, const Matrix& background) -> std::optional<double> {
    const auto by_chance = chance(thing.vector, background);
    if (!by_chance) return std::nullopt;
    return (cosine - by_chance->mean) / by_chance->deviation;
  };
  if (a.text != b.text) return from(a.text ? b : a, space.captions);
  const Matrix& background = a.text ? space.captions : space.pictures;
  const auto first = from(a, background);
  const auto second = from(b, background);
  if (!first || !second) return std::nullopt;
  return std::min(*first, *second);
}

}  // namespace

ToolAnswer similarity(Service& service, const json::value& arguments, const Request& request) {
  const BodyReader reader(arguments);
  reader.refuse_unknown({"things", "collection"});
  const json::array* list = reader.list("things");
  if (list == nullptr || list->size() < kLeastThings || list->size() > kMostThings)
    refuse("things", fmt::format("things: expected {} to {} of them.", kLeastThings, kMostThings));
  const Space space = space_of(service, reader, request);
  std::vector<Thing> things;
  for (const json::value& v : *list)
    things.push_back(
        thing_of(service, space, v, fmt::format("things[{}]", things.size()), request));

  ToolAnswer answer;
  json::array pairs;
  for (std::size_t i = 0; i < things.size(); ++i) {
    for (std::size_t k = i + 1; k < things.size(); ++k) {
      const double cosine = dot(things[i].vector, things[k].vector);
      const auto above = deviations(space, things[i], things[k], cosine);
      const char* said = above ? words(*above) : nullptr;
      pairs.push_back(json::object{
          {"a", i},
          {"b", k},
          {"cosine", number_json(static_cast<float>(cosine))},
          {"deviations", above ? number_json(static_cast<float>(*above)) : json::value(nullptr)},
          {"words", said != nullptr ? json::value(said) : json::value(nullptr)}});
      answer.text +=
          fmt::format("{} / {}: cosine {:.3f}{}{}\n", things[i].name.substr(0, kMostShown),
                      things[k].name.substr(0, kMostShown), cosine, said != nullptr ? ", " : "",
                      said != nullptr ? said : "");
    }
  }
  answer.structured = {{"model", space.model->name}, {"pairs", std::move(pairs)}};
  return answer;
}

}  // namespace tandem::serve
