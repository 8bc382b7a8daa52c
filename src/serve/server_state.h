// What the connections of a server share. Everything but `io.post` and `workers` is touched by the
// one thread that runs `io`.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "serve/hosts.h"
#include "serve/keys.h"
#include "serve/metrics.h"
#include "serve/rate_limit.h"
#include "serve/router.h"
#include "serve/server.h"
#include "serve/service.h"
#include "serve/workers.h"

namespace tandem::serve {

namespace asio = boost::asio;

// A connection, as the server sees it.
class Connection {
 public:
  virtual ~Connection() = default;
  // Called a few times a second: ends what took too long. draining: ends when nothing came for a
  // moment.
  virtual void check_time(Clock::time_point now) = 0;
  virtual void close() = 0;
};

// Requests that are worked on: few enough that each is answered in time. Health and metrics have
// places of their own, so that they answer when everything else is refused.
class Admission {
 public:
  static constexpr std::size_t kOpenPlaces = 64;
  explicit Admission(std::size_t places) : places_(places) {}
  bool enter(Access access);
  void leave(Access access) { --taken(access); }
  std::size_t all_places() const { return places_ + kOpenPlaces; }

 private:
  static bool is_open(Access access) { return access == Access::kOpen || access == Access::kAdmin; }
  std::size_t& taken(Access access) { return is_open(access) ? taken_open_ : taken_; }
  std::size_t places_;
  std::size_t taken_ = 0;
  std::size_t taken_open_ = 0;
};

struct ServerState {
  ServerState(Service& the_service, std::span<const std::span<const Route>> routes,
              const ServerOptions& the_options);

  // Counts an answer. route: of the router, or its size for none.
  void count(std::size_t route, int status, Clock::duration took);
  std::string new_id();

  Service& service;
  const ServerOptions& options;
  Router router;
  Keys keys;
  Hosts hosts;
  RateLimit rate;
  Admission admission;
  std::list<std::shared_ptr<Connection>> connections;
  bool draining = false;
  // Bytes of bodies that were read and not yet answered, of all connections.
  std::size_t body_bytes = 0;
  std::array<char, 64 << 10> scratch{};  // bytes are received here first
  Gauge& open_connections;
  Gauge& in_progress;

  asio::io_context io{1};
  Workers workers;  // ends before io

 private:
  std::vector<std::map<int, Counter*>> requests_;  // by route, then status
  std::vector<Histogram*> seconds_;
  std::uint64_t id_seed_;
  std::uint64_t id_count_ = 0;
};

// Takes over an accepted socket, and adds itself to state.connections.
void start_session(ServerState& state, asio::ip::tcp::socket socket);

}  // namespace tandem::serve
