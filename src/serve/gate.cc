#include "serve/gate.h"

#include <algorithm>
#include <fmt/format.h>

#include "serve/answers.h"

namespace tandem::serve {
namespace {

std::string field(const Head& head, const char* name) {
  const auto found = head.fields.find(name);
  return found == head.fields.end() ? "" : found->second;
}

// As given where it can stand in logs and headers.
std::string request_id(ServerState& state, const Head& head) {
  auto given = field(head, "x-request-id");
  const bool sane =
      !given.empty() && given.size() <= 64 && std::all_of(given.begin(), given.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_' || c == '.';
      });
  return sane ? given : state.new_id();
}

bool is_listed(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

void check_target(ServerState& state, const Head& head, Passage& passage) {
  auto target = parse_target(head.target);
  if (!target) throw HttpError(400, "invalid_request", "the target cannot be read");
  passage.target = *std::move(target);
  const auto host = passage.target.host.empty() ? field(head, "host") : passage.target.host;
  const bool may_be_absent = head.http_1_0 && host.empty();
  if (!may_be_absent && !state.hosts.is_allowed(host)) {
    throw HttpError(421, "host_not_allowed",
                    "this server does not answer under that name (--allow-host adds names)");
  }
}

// A page elsewhere may ask only where its origin is listed.
void check_origin(ServerState& state, const Head& head, Passage& passage) {
  const auto origin = field(head, "origin");
  if (origin.empty()) return;
  if (is_listed(state.options.cors_origins, origin)) {
    passage.cors_origin = origin;
    return;
  }
  const bool reads = head.method == "GET" || head.method == "HEAD" || head.method == "OPTIONS";
  if (!reads && !is_same_origin(origin, field(head, "host"))) {
    throw HttpError(403, "origin_not_allowed", "pages from elsewhere may not do that");
  }
}

Response preflight(const Router::Match& match) {
  Response answer;
  answer.status = 204;
  answer.headers = {{"Access-Control-Allow-Methods", match.allowed},
                    {"Access-Control-Allow-Headers", "Authorization, Content-Type, X-Request-Id"},
                    {"Access-Control-Max-Age", "600"}};
  return answer;
}

// Whether a route is there for it; fills `answer` for OPTIONS and 405.
void check_route(ServerState& state, const Head& head, Passage& passage) {
  passage.match = state.router.match(head.method, passage.target.path);
  const auto& match = passage.match;
  if (match.allowed.empty()) throw HttpError(404, "not_found", "there is nothing at this path");
  if (match.route != nullptr) return;
  if (head.method == "OPTIONS" && !passage.cors_origin.empty()) {
    passage.answer = preflight(match);
    return;
  }
  passage.answer =
      error_answer(HttpError(405, "method_not_allowed", "this path takes " + match.allowed),
                   ErrorShape::kTandem, passage.id);
  passage.answer->headers.emplace_back("Allow", match.allowed);
}

void check_body(const Head& head, const Route& route) {
  const auto coding = field(head, "content-encoding");
  if (!coding.empty() && coding != "identity") {
    throw HttpError(415, "unsupported_encoding", "expected a body without Content-Encoding");
  }
  const auto limit = route.body_limit_bytes;
  if ((head.chunked && limit == 0) || head.content_length.value_or(0) > limit) {
    throw HttpError(413, "too_large",
                    limit == 0 ? "this path takes no body"
                               : fmt::format("the body may have at most {} bytes", limit));
  }
}

void check_key_and_rate(ServerState& state, const Head& head, Passage& passage,
                        Clock::time_point now) {
  const auto* key = state.keys.find(field(head, "authorization"));
  if (key != nullptr) passage.key = key->name;
  const auto access = passage.match.route->access;
  state.keys.check(key, access);
  if (access == Access::kOpen) return;
  const auto who = key == nullptr ? "peer " + passage.peer : "key " + key->name;
  const int wait_s = state.rate.take(who, now);
  if (wait_s > 0) {
    throw HttpError(429, "rate_limited", "too many requests from you", std::nullopt, wait_s);
  }
}

}  // namespace

Passage pass(ServerState& state, const Head& head, const std::string& socket_peer,
             Clock::time_point now) {
  Passage passage;
  passage.id = request_id(state, head);
  passage.peer = forwarded_peer(socket_peer, field(head, "x-forwarded-for"), state.options.proxies);
  try {
    check_target(state, head, passage);
    check_origin(state, head, passage);
    check_route(state, head, passage);
    if (passage.answer) return passage;
    check_key_and_rate(state, head, passage, now);
    check_body(head, *passage.match.route);
  } catch (const HttpError& error) {
    const auto* route = passage.match.route;
    const auto shape = route == nullptr ? ErrorShape::kTandem : route->errors;
    passage.answer = error_answer(error, shape, passage.id);
    passage.close = error.status() == 400 || error.status() == 413;
  }
  return passage;
}

}  // namespace tandem::serve
