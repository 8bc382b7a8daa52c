// Tandem's own routes (docs/api.md).
#include <array>

#include "serve/answer_json.h"
#include "serve/api.h"
#include "serve/route.h"

namespace tandem::serve {
namespace {

constexpr std::size_t kPictureBodyBytes = 32 << 20;  // pictures come in base64

Response search(Service& service, const Request& request) {
  return json_answer(search_answer(service, parse_body(request), request));
}

Response classify(Service& service, const Request& request) {
  return json_answer(classify_answer(service, parse_body(request), request));
}

Response collections(Service& service, const Request&) {
  return json_answer(collections_answer(service));
}

constexpr std::array kRoutes = {
    Route{"GET", "/v1/collections", Access::kRead, 0, collections},
    Route{"POST", "/v1/search", Access::kRead, kPictureBodyBytes, search},
    Route{"POST", "/v1/classify", Access::kRead, kPictureBodyBytes, classify},
    Route{"GET", "/v1/items", Access::kRead, 0, list_items},
    Route{"POST", "/v1/items", Access::kWrite, kPictureBodyBytes, add_items},
    Route{"GET", "/v1/items/{id}", Access::kRead, 0, get_item},
    Route{"DELETE", "/v1/items/{id}", Access::kWrite, 0, delete_item},
    Route{"GET", "/v1/items/{id}/preview", Access::kRead, 0, preview_item},
};

}  // namespace

std::span<const Route> tandem_routes() { return kRoutes; }

}  // namespace tandem::serve
