// The tools themselves, one row each.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "serve/message.h"
#include "serve/service.h"

namespace tandem::serve {

struct ToolAnswer {
  json::object structured;
  std::string text;             // the same for who reads only text
  std::vector<std::byte> jpeg;  // a picture to look at; empty: none
};

struct Tool {
  std::string_view name;
  std::string_view title;
  std::string_view description;
  std::string_view input_schema;   // JSON
  std::string_view output_schema;  // JSON
  // Throws HttpError and Error for what cannot be answered.
  ToolAnswer (*run)(Service& service, const json::value& arguments, const Request& request);
};

std::span<const Tool> mcp_tools();

// "similarity": how near texts, pictures and items are to each other, as cosines and in words.
// What a cosine means depends on the kinds that are compared, so it is measured against what chance
// gives: captions that describe nothing in particular for comparisons with a text, a collection's
// own sample for those between pictures.
ToolAnswer similarity(Service& service, const json::value& arguments, const Request& request);

// A picture as tools are told of it: a file of this machine, or what Service::picture_bytes takes.
// Throws HttpError about `place` when there is no such file or it is too large.
std::string picture_source(const Service& service, const std::string& given,
                           const std::string& place);

}  // namespace tandem::serve
