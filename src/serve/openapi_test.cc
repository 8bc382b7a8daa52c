#include "serve/openapi.h"

#include <gtest/gtest.h>
#include <set>
#include <string>

namespace tandem::serve {
namespace {

// Every "$ref" in `v`.
void collect_references(const json::value& v, std::set<std::string>& found) {
  if (v.is_array()) {
    for (const json::value& inner : v.get_array()) collect_references(inner, found);
  }
  if (!v.is_object()) return;
  for (const auto& member : v.get_object()) {
    if (member.key() == "$ref") found.insert(std::string(member.value().as_string().c_str()));
    collect_references(member.value(), found);
  }
}

std::set<std::string> captures_of(std::string_view path) {
  std::set<std::string> names;
  for (std::size_t open = path.find('{'); open != path.npos; open = path.find('{', open + 1))
    names.emplace(path.substr(open + 1, path.find('}', open) - open - 1));
  return names;
}

TEST(OpenApi, HasEveryRouteOfTheTablesAndNoOther) {
  const json::object document = openapi_document();  // throws where they differ
  EXPECT_EQ(document.at("openapi"), "3.1.0");
  EXPECT_GT(documented_routes().size(), 25u);
}

TEST(OpenApi, SaysOfEachRouteWhatItMayAnswer) {
  const json::object document = openapi_document();
  for (const Route& route : documented_routes()) {
    const std::string method = route.method == "GET"    ? "get"
                               : route.method == "POST" ? "post"
                                                        : "delete";
    const auto& operation = document.at("paths").at(route.path).at(method).get_object();
    const auto& responses = operation.at("responses").get_object();
    EXPECT_EQ(responses.contains("401"), route.access != Access::kOpen) << route.path;
    EXPECT_TRUE(responses.contains("400") && responses.contains("503")) << route.path;
    EXPECT_EQ(operation.contains("requestBody"), route.body_limit_bytes > 0) << route.path;
    std::set<std::string> in_path;
    if (const auto* parameters = operation.if_contains("parameters")) {
      for (const json::value& parameter : parameters->get_array())
        if (parameter.at("in") == "path")
          in_path.insert(std::string(parameter.at("name").as_string().c_str()));
    }
    EXPECT_EQ(in_path, captures_of(route.path)) << route.path;
  }
}

TEST(OpenApi, NamesOnlyWhatItDefines) {
  const json::object document = openapi_document();
  std::set<std::string> references;
  collect_references(json::value(document), references);
  for (const std::string& reference : references) {
    ASSERT_EQ(reference.substr(0, 2), "#/");
    boost::system::error_code failure;
    const json::value whole(document);
    EXPECT_NE(whole.find_pointer(reference.substr(1), failure), nullptr) << reference;
  }
}

TEST(OpenApi, GivesEachOperationItsOwnName) {
  std::set<std::string> names;
  std::size_t count = 0;
  const json::object document = openapi_document();
  for (const auto& path : document.at("paths").get_object()) {
    for (const auto& operation : path.value().get_object()) {
      names.insert(std::string(operation.value().at("operationId").as_string().c_str()));
      ++count;
    }
  }
  EXPECT_EQ(names.size(), count);
}

}  // namespace
}  // namespace tandem::serve
