#include "serve/server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <sys/resource.h>

#include "tandem/error.h"

#include "serve/hosts.h"
#include "serve/server_state.h"

namespace tandem::serve {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds kTick{100};  // how soon `stop` is noticed
constexpr int kTicksBetweenChecks = 3;           // of the connections' deadlines
constexpr int kBacklog = 4096;
// Descriptors for other things than connections: children, collections, logs.
constexpr std::size_t kOtherDescriptors = 512;

// As many descriptors as the process may have. Returns the connections that they allow.
std::size_t allowed_connections(std::size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  const auto most = static_cast<std::size_t>(limit.rlim_cur);
  return std::min(wanted, most > 2 * kOtherDescriptors ? most - kOtherDescriptors : most / 2);
}

std::string numeric(const std::string& address) {
  return address == "localhost" ? "127.0.0.1" : address;
}

tcp::endpoint endpoint_of(const ServerOptions& options) {
  error_code error;
  const auto address = asio::ip::make_address(numeric(options.address), error);
  if (error) {
    throw Error(Kind::kInput, "--address " + options.address +
                                  ": expected an address in figures, such as 127.0.0.1 or ::1.");
  }
  return {address, options.port};
}

// Until it is stopped. What one connection's handler throws (no memory) ends that handler only.
void run_all(ServerState& state) {
  while (true) {
    try {
      state.io.run();
      return;
    } catch (const std::exception& e) {
      state.options.log.warn(std::string("a connection failed: ") + e.what());
    }
  }
}

class Listener {
 public:
  Listener(ServerState& state, const std::atomic<bool>& stop)
      : state_(state),
        stop_(stop),
        acceptor_(state.io),
        timer_(state.io),
        most_(allowed_connections(state.options.max_connections)) {}

  std::uint16_t open() {
    const auto endpoint = endpoint_of(state_.options);
    error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(kBacklog, error);
    if (!error) acceptor_.non_blocking(true, error);
    if (error) {
      throw Error(Kind::kIo, "cannot listen on " + state_.options.address + " port " +
                                 std::to_string(state_.options.port) + ": " + error.message() +
                                 ". Choose another with --port.");
    }
    accept();
    tick();
    return acceptor_.local_endpoint().port();
  }

 private:
  void accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (!acceptor_.is_open()) return;
      if (!error) admit(std::move(socket));
      // Out of descriptors, or the like: the next tick tries again.
      if (error && error != asio::error::connection_aborted) {
        waits_ = true;
      } else {
        accept();
      }
    });
  }

  void admit(tcp::socket socket) {
    if (state_.connections.size() >= most_) return;  // closes it
    start_session(state_, std::move(socket));
  }

  void tick() {
    timer_.expires_after(kTick);
    timer_.async_wait([this](error_code error) {
      if (error) return;
      if (stop_ && !state_.draining) begin_to_end();
      if (++ticks_ % kTicksBetweenChecks == 0) check_connections();
      if (waits_ && acceptor_.is_open()) {
        waits_ = false;
        accept();
      }
      if (state_.draining && state_.connections.empty()) return state_.io.stop();
      tick();
    });
  }

  void check_connections() {
    const auto now = Clock::now();
    const bool over = state_.draining && now >= end_;
    for (auto at = state_.connections.begin(); at != state_.connections.end();) {
      const auto connection = *at++;  // it may take itself out of the list
      over ? connection->close() : connection->check_time(now);
    }
  }

  void begin_to_end() {
    state_.draining = true;
    state_.service.drain();
    end_ = Clock::now() + state_.options.drain;
    // Those who connected already are served.
    while (true) {
      error_code error;
      tcp::socket socket(state_.io);
      acceptor_.accept(socket, error);
      if (error) break;
      admit(std::move(socket));
    }
    error_code ignored;
    acceptor_.close(ignored);
  }

  ServerState& state_;
  const std::atomic<bool>& stop_;
  tcp::acceptor acceptor_;
  asio::steady_timer timer_;
  std::size_t most_;
  int ticks_ = 0;
  bool waits_ = false;
  Clock::time_point end_;
};

}  // namespace

void serve(Service& service, std::span<const std::span<const Route>> routes,
           const ServerOptions& options, const std::atomic<bool>& stop,
           const std::function<void(std::uint16_t port)>& listening) {
  if (!is_loopback(numeric(options.address)) && options.keys.empty()) {
    throw Error(Kind::kInput, "--address " + options.address +
                                  ": others can reach this address, and no keys are set. Expected "
                                  "--keys FILE, or 127.0.0.1.");
  }
  ServerState state(service, routes, options);
  Listener listener(state, stop);
  const auto port = listener.open();
  listening(port);
  run_all(state);
  // Those that outlasted the end: their sockets go before the thread they need.
  while (!state.connections.empty()) state.connections.front()->close();
}

}  // namespace tandem::serve
