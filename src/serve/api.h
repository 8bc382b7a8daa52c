// Tandem's own questions, from JSON to JSON. The HTTP routes answer with these, and so do the tools
// for assistants (mcp.h). Each takes a body as docs/api.md has it and throws HttpError that names
// the place of what is wrong; Error as those below do.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/json.h"
#include "index/item.h"
#include "serve/body_json.h"
#include "serve/message.h"
#include "serve/service.h"

namespace tandem::serve {

json::object search_answer(Service& service, const json::value& body, const Request& request);
json::object classify_answer(Service& service, const json::value& body, const Request& request);
json::object collections_answer(Service& service);

// An item as every answer shows it.
json::object item_json(const Item& item);

// "filter" of a body, or of a query string when `text` is not empty. Nothing when absent.
std::optional<ItemFilter> filter_of(const json::value* tree);
std::optional<ItemFilter> filter_of(const std::string& text);

// "templates": the name of a set ("none", "simple", "openai", "icons"), or a list of texts with
// "{}". Absent: `fallback`.
std::vector<std::string> templates_of(const Service& service, const BodyReader& body,
                                      const std::vector<std::string>& fallback);

// Service::embed_texts for more texts than one call takes: templates multiply them.
Matrix embed_many(Service& service, const ServedModel& model, const std::vector<std::string>& texts,
                  const Request& request);

// Throws HttpError 403 unless items may be added to and deleted from the collection.
void require_writable(const Shelf& shelf);

Response list_items(Service& service, const Request& request);
Response get_item(Service& service, const Request& request);
Response preview_item(Service& service, const Request& request);
Response add_items(Service& service, const Request& request);
Response delete_item(Service& service, const Request& request);

}  // namespace tandem::serve
