// The OpenAPI 3.1 document of everything that the server answers. openapi.json, which is part of
// the program, says what each route is asked and answers; the answers that any route may give for
// the server's own reasons (keys, limits, overload) are filled in here from the tables of routes.
#pragma once

#include <string_view>
#include <vector>

#include "core/json.h"
#include "serve/route.h"

namespace tandem::serve {

std::string_view openapi_text();  // openapi.json as it is

// All tables but the page's, of which the document has "/" alone.
std::vector<Route> documented_routes();

// Throws kInternal when a route is in the table and not in openapi.json, or the reverse.
json::object openapi_document();

}  // namespace tandem::serve
