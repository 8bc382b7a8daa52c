// The HTTP server (Boost.Beast): connections with limits and deadlines, admission, keys, rates,
// routing, request ids, access log, and an end that finishes what was admitted.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/log.h"
#include "serve/route.h"
#include "serve/service.h"

namespace tandem::serve {

struct ApiKey {
  std::string name;  // in logs
  std::string secret;
  Access most = Access::kRead;  // kRead, kWrite or kAdmin
};

// Defaults: reliability.md sections 2 and 3.
struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8420;  // 0: any free one
  std::size_t max_connections = 12'000;
  std::size_t max_concurrent = 512;  // admitted requests; more are 429
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds body_idle_timeout{10'000};
  std::chrono::milliseconds keep_alive{60'000};
  std::chrono::milliseconds queue_deadline{1'000};
  std::chrono::milliseconds drain{30'000};
  std::vector<ApiKey> keys;                // none: everything but kAdmin is open on loopback
  std::vector<std::string> cors_origins;   // exact; none: CORS is off
  std::vector<std::string> allowed_hosts;  // besides the bound address and localhost
  std::vector<std::string> proxies;        // whose X-Forwarded-For counts
  double rate_per_s = 0;                   // requests a key or peer; 0: no limit
  double rate_burst = 0;
  // One JSON line a request: time, id, peer, key, method, route, status, bytes, ms.
  std::function<void(const std::string& line)> access_log;
  Log log;
};

// Listens until `stop` is set, then takes no more, finishes what was admitted (at most `drain`) and
// returns. listening: called once with the port. Throws kIo (address in use), kInput (another
// address than loopback without keys).
void serve(Service& service, std::span<const std::span<const Route>> routes,
           const ServerOptions& options, const std::atomic<bool>& stop,
           const std::function<void(std::uint16_t port)>& listening);

}  // namespace tandem::serve
