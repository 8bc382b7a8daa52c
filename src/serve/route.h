// The table of routes. A dialect is one file routes_NAME.cc that gives its rows.
#pragma once

#include <span>
#include <string_view>

#include "serve/message.h"

namespace tandem::serve {

class Service;

enum class Access {
  kOpen,   // no key: health, the page's own files
  kRead,   // any key, where keys are configured
  kWrite,  // a key that may write; from a browser only from the page's own origin
  kAdmin,  // the admin key: metrics
};

// How a route says no: some clients parse it.
enum class ErrorShape {
  kTandem,  // message.h
  kTei,     // {"error":"…","error_type":"…"}
  kPlain,   // text
};

struct Route {
  std::string_view method;
  std::string_view path;  // "/v1/items/{id}"; a capture is one segment
  Access access = Access::kRead;
  std::size_t body_limit_bytes = 0;  // 0: none is read; more than that is 413
  // Runs on a thread of its own and may wait; whatever it throws becomes an answer: HttpError as it
  // says, Error by its kind, anything else 500.
  Response (*run)(Service& service, const Request& request) = nullptr;
  ErrorShape errors = ErrorShape::kTandem;
};

std::span<const Route> health_routes();          // /healthz /readyz /health /ping /metrics
std::span<const Route> openai_routes();          // /v1/embeddings /embeddings /v1/models /models
std::span<const Route> tei_routes();             // /embed /info
std::span<const Route> clip_retrieval_routes();  // /knn-service /metadata /indices-list
std::span<const Route> immich_routes();          // /predict
std::span<const Route> tandem_routes();   // /v1/classify /v1/search /v1/items /v1/collections …
std::span<const Route> page_routes();     // / and the page's files
std::span<const Route> openapi_routes();  // /openapi.json

}  // namespace tandem::serve
