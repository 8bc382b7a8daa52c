// Whether it lives, whether it is ready, and what it counts.
#include "serve/route.h"
#include "serve/service.h"

namespace tandem::serve {
namespace {

Response text(int status, std::string body) {
  Response answer;
  answer.status = status;
  answer.content_type = "text/plain; charset=utf-8";
  answer.body = std::move(body);
  return answer;
}

Response run_alive(Service&, const Request&) { return text(200, "ok\n"); }

Response run_ready(Service& service, const Request&) {
  if (service.ready()) return text(200, "ready\n");
  throw HttpError(503, "not_ready", "not ready", std::nullopt, 1);
}

// TEI's and infinity's clients.
Response run_health(Service& service, const Request& request) {
  run_ready(service, request);
  Response answer;
  answer.body = R"({"status":"ok"})";
  return answer;
}

// immich's.
Response run_ping(Service&, const Request&) { return text(200, "pong"); }

Response run_metrics(Service& service, const Request&) {
  Response answer;
  answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
  answer.body = service.metrics().text();
  return answer;
}

constexpr Route kRoutes[] = {
    {"GET", "/healthz", Access::kOpen, 0, run_alive, ErrorShape::kPlain},
    {"GET", "/readyz", Access::kOpen, 0, run_ready, ErrorShape::kPlain},
    {"GET", "/health", Access::kOpen, 0, run_health},
    {"GET", "/ping", Access::kOpen, 0, run_ping, ErrorShape::kPlain},
    {"GET", "/metrics", Access::kAdmin, 0, run_metrics, ErrorShape::kPlain},
};

}  // namespace

std::span<const Route> health_routes() { return kRoutes; }

}  // namespace tandem::serve
