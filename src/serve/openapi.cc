#include "serve/openapi.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>

#include "tandem/error.h"

namespace tandem::serve {
namespace {

// What "components.responses" in openapi.json calls the answers with errors.
struct ErrorName {
  int status;
  const char* name;
};
constexpr ErrorName kAlways[] = {
    {400, "BadRequest"},        {405, "MethodNotAllowed"}, {408, "RequestTimeout"},
    {413, "TooLarge"},          {414, "UriTooLong"},       {415, "UnsupportedMediaType"},
    {417, "ExpectationFailed"}, {421, "Misdirected"},      {429, "Overloaded"},
    {431, "HeadersTooLarge"},   {500, "InternalError"},    {501, "NotImplemented"},
    {503, "Unavailable"},       {505, "HttpVersion"},
};
constexpr ErrorName kWithKey[] = {{401, "Unauthorized"}, {403, "Forbidden"}};

void add(json::object& responses, std::span<const ErrorName> errors) {
  for (const ErrorName& error : errors)
    responses.emplace(std::to_string(error.status),
                      json::object{{"$ref", fmt::format("#/components/responses/{}", error.name)}});
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  });
  return out;
}

json::object& operation_of(json::object& paths, const Route& route) {
  json::value* path = paths.if_contains(route.path);
  json::value* operation =
      path == nullptr ? nullptr : path->get_object().if_contains(lower(route.method));
  if (operation != nullptr) return operation->get_object();
  throw Error(Kind::kInternal,
              fmt::format("openapi.json: no {} {}. Expected every route of the tables.",
                          route.method, route.path));
}

std::size_t operations_in(const json::object& paths) {
  std::size_t count = 0;
  for (const auto& path : paths) count += path.value().get_object().size();
  return count;
}

}  // namespace

std::vector<Route> documented_routes() {
  std::vector<Route> all;
  for (const auto routes : {health_routes(), openai_routes(), tei_routes(), clip_retrieval_routes(),
                            immich_routes(), tandem_routes(), openapi_routes()})
    all.insert(all.end(), routes.begin(), routes.end());
  for (const Route& route : page_routes())
    if (route.path == "/") all.push_back(route);
  return all;
}

json::object openapi_document() {
  json::object document = json::parse(openapi_text(), "openapi.json").get_object();
  json::object& paths = document.at("paths").get_object();
  const auto routes = documented_routes();
  for (const Route& route : routes) {
    json::object& responses = operation_of(paths, route).at("responses").get_object();
    add(responses, kAlways);
    if (route.access != Access::kOpen) add(responses, kWithKey);
  }
  if (operations_in(paths) != routes.size())
    throw Error(Kind::kInternal, "openapi.json: an operation that no table of routes has.");
  return document;
}

}  // namespace tandem::serve
