#include "serve/mcp_tools.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <iterator>

#include "tandem/error.h"

#include "core/files.h"
#include "serve/answer_json.h"
#include "serve/api.h"
#include "serve/kept_pictures.h"
#include "tasks/query.h"

namespace tandem::serve {
namespace {

constexpr std::int64_t kDefaultRows = 10;
constexpr std::size_t kMostLabelsShown = 5;

std::string text_at_key(const json::object& object, std::string_view key) {
  const auto& text = object.at(key).get_string();
  return {text.data(), text.size()};
}

json::object arguments_of(const json::value& arguments) {
  if (!arguments.is_object()) refuse("arguments", "arguments: expected an object.");
  return arguments.get_object();
}

// "7  0.312  beach.jpg  sunset over the sea"
std::string result_line(const json::value& row) {
  const json::object& item = row.get_object();
  const std::string caption = text_at_key(item, "caption");
  return fmt::format("#{}  {:.3f}{}  {}{}{}\n", item.at("id").to_number<std::int64_t>(),
                     item.at("score").to_number<double>(),
                     item.at("relevant").get_bool() ? "" : " (not relevant)",
                     text_at_key(item, "uri"), caption.empty() ? "" : "  ", caption);
}

ToolAnswer search(Service& service, const json::value& arguments, const Request& request) {
  json::object body = arguments_of(arguments);
  const BodyReader reader(arguments);
  reader.refuse_unknown(
      {"query", "collection", "filter", "limit", "offset", "sort", "relevant_only", "facets"});
  // Pictures in the query are files of this machine.
  json::object pictures;
  try {
    for (const QueryTerm& term : parse_query(reader.required_text("query")).terms) {
      if (term.kind == QueryTerm::Kind::kPicture)
        pictures[term.text] = picture_source(service, term.text, "query");
    }
  } catch (const Error& error) {
    refuse("query", error.what());
  }
  body["pictures"] = std::move(pictures);
  if (!reader.has("limit")) body["limit"] = kDefaultRows;
  ToolAnswer answer;
  answer.structured = search_answer(service, body, request);
  const auto& rows = answer.structured.at("results").get_array();
  const auto relevant = answer.structured.at("relevant").to_number<std::int64_t>();
  const bool judged = !answer.structured.at("cut_off").is_null();
  if (rows.empty())
    answer.text = "Nothing found.\n";
  else if (judged)
    answer.text = relevant == 0 ? "Nothing relevant; the nearest:\n"
                                : fmt::format("{} relevant. Best first:\n", relevant);
  for (const json::value& row : rows) answer.text += result_line(row);
  return answer;
}

ToolAnswer classify(Service& service, const json::value& arguments, const Request& request) {
  json::object body = arguments_of(arguments);
  const BodyReader reader(arguments);
  if (reader.has("pictures")) {
    json::array sources;
    for (const std::string& given : reader.texts("pictures"))
      sources.emplace_back(
          picture_source(service, given, fmt::format("pictures[{}]", sources.size())));
    body["pictures"] = std::move(sources);
  }
  ToolAnswer answer;
  answer.structured = classify_answer(service, body, request);
  std::size_t number = 0;
  for (const json::value& result : answer.structured.at("results").get_array()) {
    answer.text += fmt::format("{}:\n", ++number);
    const auto& labels = result.get_object().at("labels").get_array();
    for (std::size_t i = 0; i < std::min(labels.size(), kMostLabelsShown); ++i) {
      const json::object& label = labels[i].get_object();
      answer.text +=
          fmt::format("  {:5.1f} %  {}\n", 100 * label.at("probability").to_number<double>(),
                      text_at_key(label, "label"));
    }
  }
  return answer;
}

ToolAnswer list_collections(Service& service, const json::value& arguments, const Request&) {
  BodyReader(arguments, "").refuse_unknown({});
  ToolAnswer answer;
  answer.structured = collections_answer(service);
  for (const json::value& row : answer.structured.at("collections").get_array()) {
    const json::object& shelf = row.get_object();
    answer.text +=
        fmt::format("{}: {} items, model {}\n", text_at_key(shelf, "name"),
                    shelf.at("items").to_number<std::int64_t>(), text_at_key(shelf, "model"));
  }
  if (answer.text.empty()) answer.text = "No collections are served.\n";
  return answer;
}

ToolAnswer show_item(Service& service, const json::value& arguments, const Request& request) {
  const BodyReader reader(arguments);
  reader.refuse_unknown({"id", "collection", "side"});
  const auto id = reader.integer("id");
  if (!id) refuse("id", "id: missing. Expected an item's id.");
  const int side = static_cast<int>(reader.integer("side", {32, 2'048}).value_or(512));
  const auto shelf = service.shelf(reader.text("collection").value_or(""));
  const std::int64_t ids[] = {*id};
  auto items = shelf->store->items(ids);
  if (items.empty()) throw HttpError(404, "item_not_found", "No item has this id.", "id");
  Item& item = items.front();
  ToolAnswer answer;
  answer.structured = item_json(item);
  answer.text = fmt::format("#{}  {}  {}\n", item.id, item.uri, item.caption);
  if (item.kind != ItemKind::kPicture) return answer;
  if (const auto kept = kept_picture(*shelf, item.sha256)) item.uri = kept->string();
  answer.jpeg = service.preview(*shelf, item, side, request);
  return answer;
}

constexpr std::string_view kAnyObject = R"json({"type":"object"})json";

constexpr std::array kTools = {
    Tool{
        "search", "Search a collection",
        "Finds pictures and texts by what they show. The query may add and subtract: "
        "\"sunset + [/path/beach.jpg] - 2*people\"; [PATH] is a picture of this machine, [#7] "
        "the item with that id (alone: more like it). Results below the calibrated cut-off "
        "are marked as not relevant.",
        R"json({"type":"object","required":["query"],"additionalProperties":false,"properties":{
"query":{"type":"string","description":"Words; + and - between terms; NUMBER* before a term for its weight"},
"collection":{"type":"string","description":"A name of list_collections; absent: the first"},
"filter":{"type":"object","description":"Conditions on items, as in {\"width\":{\"gte\":500},\"metadata.camera\":\"X100\"}. Operators: eq ne in gt gte lt lte exists prefix contains; and, or, not"},
"limit":{"type":"integer","minimum":1,"maximum":1000,"default":10},
"offset":{"type":"integer","minimum":0,"maximum":1000,"default":0},
"sort":{"enum":["relevance","newest","oldest"]},
"relevant_only":{"type":"boolean","default":false},
"facets":{"type":"array","items":{"type":"string"},"maxItems":16,"description":"Fields whose values are counted"}}})json",
        R"json({"type":"object","required":["collection","total","relevant","results"],"properties":{
"collection":{"type":"string"},"total":{"type":"integer"},"relevant":{"type":"integer"},
"results":{"type":"array","items":{"type":"object","required":["id","uri","score","relevant"],"properties":{
"id":{"type":"integer"},"uri":{"type":"string"},"caption":{"type":"string"},"score":{"type":"number"},
"relevant":{"type":"boolean"}}}}}})json",
        search},
    Tool{
        "classify", "Classify pictures",
        "Says which of some labels fits each picture best, with probabilities. Pictures are "
        "paths of this machine, or ids of items in a collection.",
        R"json({"type":"object","required":["labels"],"additionalProperties":false,"properties":{
"pictures":{"type":"array","items":{"type":"string"},"minItems":1,"description":"Paths"},
"ids":{"type":"array","items":{"type":"integer"},"minItems":1},
"collection":{"type":"string","description":"Of the ids; absent: the first"},
"model":{"type":"string"},
"labels":{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":1000},
"templates":{"description":"none, simple, openai, icons, or texts with {}"}}})json",
        R"json({"type":"object","required":["model","results"],"properties":{"model":{"type":"string"},
"results":{"type":"array","items":{"type":"object","required":["labels"],"properties":{"labels":{"type":"array",
"items":{"type":"object","required":["label","cosine","probability"],"properties":{"label":{"type":"string"},
"cosine":{"type":"number"},"probability":{"type":"number"}}}}}}}}})json",
        classify},
    Tool{
        "similarity", "Compare texts, pictures and items",
        "Says how near things are to each other: every pair's cosine, and in words where chance "
        "could be measured (unrelated, weakly related, related, strongly related).",
        R"json({"type":"object","required":["things"],"additionalProperties":false,"properties":{
"things":{"type":"array","minItems":2,"maxItems":16,"items":{"type":"object","additionalProperties":false,
"description":"Exactly one of text, picture (a path) and id (of an item in the collection)",
"properties":{"text":{"type":"string"},"picture":{"type":"string"},"id":{"type":"integer"}}}},
"collection":{"type":"string","description":"Of the ids, and what pictures are measured against"}}})json",
        R"json({"type":"object","required":["model","pairs"],"properties":{"model":{"type":"string"},
"pairs":{"type":"array","items":{"type":"object","required":["a","b","cosine"],"properties":{"a":{"type":"integer"},
"b":{"type":"integer"},"cosine":{"type":"number"},"deviations":{"type":["number","null"]},
"words":{"type":["string","null"]}}}}}})json",
        similarity},
    Tool{
        "list_collections", "List the collections", "Names, sizes and models of the collections.",
        R"json({"type":"object","additionalProperties":false,"properties":{}})json",
        R"json({"type":"object","required":["collections"],"properties":{"collections":{"type":"array",
"items":{"type":"object","required":["name","model","items"]}}}})json",
        list_collections},
    Tool{
        "show_item", "Look at an item", "What is known of an item, and its picture to look at.",
        R"json({"type":"object","required":["id"],"additionalProperties":false,"properties":{"id":{"type":"integer"},
"collection":{"type":"string"},"side":{"type":"integer","minimum":32,"maximum":2048,"default":512,
"description":"The longer side of the picture, in pixels"}}})json",
        kAnyObject, show_item},
};

}  // namespace

std::span<const Tool> mcp_tools() { return kTools; }

std::string picture_source(const Service& service, const std::string& given,
                           const std::string& place) {
  if (given.starts_with("data:") || given.starts_with("http://") || given.starts_with("https://"))
    return given;
  try {
    return base64(read_file(given, service.options().max_image_bytes));
  } catch (const Error& error) {
    throw HttpError(error.kind() == Kind::kNotFound ? 404 : 422, "unreadable_picture", error.what(),
                    place);
  }
}

}  // namespace tandem::serve
