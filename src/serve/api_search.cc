// POST /v1/search.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <map>

#include "tandem/error.h"

#include "serve/answer_json.h"
#include "serve/api.h"
#include "serve/embed_inputs.h"
#include "tasks/finder.h"

namespace tandem::serve {
namespace {

constexpr std::size_t kMostTerms = 64;  // query.h
constexpr std::size_t kMostFacets = 16;
constexpr std::size_t kMostNameShown = 60;  // bytes of a picture's name in an error

// A query, and where the pictures that it names are.
struct Question {
  Query query;
  struct Named {
    std::string source;  // as Service::picture_bytes takes it
    std::string place;
  };
  std::map<std::string, Named> pictures;
};

Region region_of(const json::value& v, const std::string& place) {
  const BodyReader reader(v, place);
  reader.refuse_unknown({"left", "top", "width", "height", "unit"});
  const auto side = [&](const char* key) {
    const auto number = reader.number(key, {0, 1e6});
    if (!number) refuse(reader.place(key), reader.place(key) + ": missing. Expected a number.");
    return *number;
  };
  Region region{side("left"), side("top"), side("width"), side("height")};
  region.percent = reader.choice("unit", {"px", "%"}) == 1;
  if (region.width <= 0 || region.height <= 0)
    refuse(place, place + ": expected a region wider and higher than nothing.");
  return region;
}

QueryTerm term_of(const json::value& v, const std::string& place, Question& question) {
  const BodyReader reader(v, place);
  reader.refuse_unknown({"text", "picture", "id", "weight", "region"});
  if (reader.has("text") + reader.has("picture") + reader.has("id") != 1)
    refuse(place, place + ": expected exactly one of \"text\", \"picture\" and \"id\".");
  QueryTerm term;
  term.weight = reader.number("weight", {-100, 100}).value_or(1);
  if (reader.has("text")) {
    term.text = reader.required_text("text");
  } else if (reader.has("id")) {
    term.kind = QueryTerm::Kind::kItem;
    term.item = *reader.integer("id");
  } else {
    term.kind = QueryTerm::Kind::kPicture;
    term.text = fmt::format("picture{}", question.pictures.size() + 1);
    question.pictures[term.text] = {reader.required_text("picture"), reader.place("picture")};
  }
  if (!reader.has("region")) return term;
  if (term.kind != QueryTerm::Kind::kPicture)
    refuse(reader.place("region"), reader.place("region") + ": only a picture has regions.");
  term.region = region_of(*reader.find("region"), reader.place("region"));
  return term;
}

Question question_of(const BodyReader& body) {
  Question question;
  if (body.has("query") == body.has("terms"))
    refuse("query", "query: expected exactly one of \"query\" and \"terms\".");
  if (const json::array* terms = body.list("terms")) {
    if (terms->empty() || terms->size() > kMostTerms)
      refuse("terms", fmt::format("terms: expected 1 to {} of them.", kMostTerms));
    for (const json::value& v : *terms)
      question.query.terms.push_back(
          term_of(v, fmt::format("terms[{}]", question.query.terms.size()), question));
    return question;
  }
  try {
    question.query = parse_query(body.required_text("query"));
  } catch (const Error& error) {
    refuse("query", error.what());
  }
  if (const json::value* pictures = body.find("pictures")) {
    if (!pictures->is_object())
      refuse("pictures", "pictures: expected an object of pictures by name.");
    for (const auto& member : pictures->get_object()) {
      const std::string name(member.key().data(), member.key().size());
      const std::string place = "pictures." + name.substr(0, kMostNameShown);
      question.pictures[name] = {text_at(member.value(), place), place};
    }
  }
  return question;
}

// Vectors of one search's terms.
class Sources {
 public:
  Sources(Service& service, const Shelf& shelf, const Question& question, const Request& request)
      : service_(service), shelf_(shelf), question_(question), request_(request) {}

  QuerySources get() const {
    return {[this](const std::vector<std::string>& texts) {
              return embed_many(service_, *shelf_.model, texts, request_);
            },
            [this](const std::string& name, const std::optional<Region>& region) {
              return picture(name, region);
            },
            [this](std::int64_t id) { return item(id); }};
  }

 private:
  std::vector<float> picture(const std::string& name, const std::optional<Region>& region) const {
    const auto found = question_.pictures.find(name);
    if (found == question_.pictures.end())
      refuse("pictures",
             fmt::format("[{}]: expected a picture of that name in \"pictures\".", name));
    Matrix rows;
    at_place(found->second.place, [&] {
      rows = service_.embed_pictures(
          *shelf_.model, {{service_.picture_bytes(found->second.source, request_), region}},
          request_);
    });
    return std::move(rows.values);
  }

  std::vector<float> item(std::int64_t id) const {
    const std::int64_t ids[] = {id};
    if (shelf_.store->items(ids).empty())
      throw HttpError(404, "item_not_found", fmt::format("[#{}]: no item has this id.", id), "id");
    return shelf_.store->vectors(ids).values;
  }

  Service& service_;
  const Shelf& shelf_;
  const Question& question_;
  const Request& request_;
};

FindOptions find_options(const BodyReader& body) {
  FindOptions options;
  const std::int64_t most = static_cast<std::int64_t>(kMostRows);
  options.limit = static_cast<std::size_t>(body.integer("limit", {1, most}).value_or(30));
  options.offset = static_cast<std::size_t>(body.integer("offset", {0, most}).value_or(0));
  if (options.offset + options.limit > kMostRows)
    refuse("offset", fmt::format("offset: with limit, expected at most {}.", kMostRows));
  const auto sort = body.choice("sort", {"relevance", "newest", "oldest"});
  constexpr SortBy kSorts[] = {SortBy::kRelevance, SortBy::kNewest, SortBy::kOldest};
  options.sort = kSorts[sort.value_or(0)];
  options.filter = filter_of(body.find("filter"));
  if (const auto least = body.number("least_score", {-1, 1}))
    options.least_score = static_cast<float>(*least);
  options.relevant_only = body.boolean("relevant_only", false);
  options.collapse_above = static_cast<float>(body.number("collapse", {0, 1}).value_or(0));
  options.facets = body.texts("facets");
  if (options.facets.size() > kMostFacets)
    refuse("facets", fmt::format("facets: expected at most {} of them.", kMostFacets));
  options.with_vectors = body.boolean("with_vectors", false);
  return options;
}

json::array rows_json(const Answer& answer, const FindOptions& options) {
  json::array rows;
  for (const Found& found : answer.rows) {
    json::object row = item_json(found.item);
    row["score"] = number_json(found.score);
    row["relevant"] = found.relevant;
    row["duplicates"] = json::array(found.duplicates.begin(), found.duplicates.end());
    if (options.with_vectors) row["vector"] = numbers_json(found.vector);
    rows.push_back(std::move(row));
  }
  return rows;
}

json::array facets_json(const Answer& answer) {
  json::array facets;
  for (const Facet& facet : answer.facets) {
    json::array values;
    for (const FacetValue& value : facet.values)
      values.push_back(json::object{{"value", value.value}, {"count", value.count}});
    facets.push_back(json::object{{"field", facet.field}, {"values", std::move(values)}});
  }
  return facets;
}

}  // namespace

json::object search_answer(Service& service, const json::value& body, const Request& request) {
  const auto start = Clock::now();
  const BodyReader reader(body);
  reader.refuse_unknown({"collection", "query", "pictures", "terms", "filter", "limit", "offset",
                         "sort", "relevant_only", "least_score", "collapse", "facets",
                         "with_vectors", "templates"});
  const Question question = question_of(reader);
  if (question.pictures.size() > service.options().max_batch_items)
    check_count(service, question.pictures.size(), reader.has("terms") ? "terms" : "pictures");
  const FindOptions options = find_options(reader);
  const auto shelf = service.shelf(reader.text("collection").value_or(""));
  const auto templates = templates_of(service, reader, {});

  const Sources sources(service, *shelf, question, request);
  QueryVector vector;
  try {
    vector = query_vector(question.query, sources.get(), templates);
  } catch (const Error& error) {
    if (error.kind() != Kind::kInput) throw;
    refuse(reader.has("terms") ? "terms" : "query", error.what());
  }
  const auto began = Clock::now();
  const Answer answer =
      find(*shelf->store, vector, asked_by(question.query), shelf->calibration.get(), options);
  service.metrics()
      .seconds("tandem_stage_seconds", "Time a stage took.", "stage=\"search\"")
      .observe(std::chrono::duration<double>(Clock::now() - began).count());

  const std::size_t next = options.offset + answer.rows.size();
  const bool more = !answer.rows.empty() && next < std::min(answer.total, kMostRows);
  const auto& relevance = answer.relevance;
  const bool cuts = relevance && relevance->cut_off > -1;  // -1: there is nothing to measure by
  const double took_ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  return {{"collection", shelf->name},
          {"query", to_text(question.query)},
          {"took_ms", std::round(took_ms * 100) / 100},
          {"total", answer.total},
          {"relevant", answer.relevant},
          {"best", answer.best ? number_json(*answer.best) : json::value(nullptr)},
          {"cut_off", cuts ? number_json(relevance->cut_off) : json::value(nullptr)},
          {"mean", relevance ? number_json(relevance->mean) : json::value(nullptr)},
          {"deviation", relevance ? number_json(relevance->deviation) : json::value(nullptr)},
          {"results", rows_json(answer, options)},
          {"facets", facets_json(answer)},
          {"next_offset", more ? json::value(next) : json::value(nullptr)}};
}

}  // namespace tandem::serve
