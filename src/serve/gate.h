// Whether a request may go on to its route: everything that is decided by its head.
#pragma once

#include <optional>
#include <string>

#include "serve/head.h"
#include "serve/server_state.h"
#include "serve/target.h"

namespace tandem::serve {

struct Passage {
  Target target;
  Router::Match match;
  std::string id;
  std::string peer;
  std::string key;          // its name
  std::string cors_origin;  // that may read the answer
  // Decided already: why not, or what OPTIONS is told.
  std::optional<Response> answer;
  // The body was not asked for and may be long: the connection ends after `answer`.
  bool close = false;
};

// Checks in order: target 400, Host 421, path 404, method 405, encoding 415, key 401 and 403,
// origin 403, body 413, rate 429. socket_peer: the address that connected.
Passage pass(ServerState& state, const Head& head, const std::string& socket_peer,
             Clock::time_point now);

}  // namespace tandem::serve
