#include <array>

#include "serve/answer_json.h"
#include "serve/openapi.h"
#include "serve/route.h"

namespace tandem::serve {
namespace {

Response document(Service&, const Request&) { return json_answer(openapi_document()); }

constexpr std::array kRoutes = {Route{"GET", "/openapi.json", Access::kOpen, 0, document}};

}  // namespace

std::span<const Route> openapi_routes() { return kRoutes; }

}  // namespace tandem::serve
