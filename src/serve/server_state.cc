#include "serve/server_state.h"

#include <fmt/format.h>
#include <random>

namespace tandem::serve {
namespace {

std::uint64_t random_seed() {
  std::random_device source;
  return (static_cast<std::uint64_t>(source()) << 32) | source();
}

// SplitMix64's last step: neighbours look unlike each other.
std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace

bool Admission::enter(Access access) {
  if (taken(access) >= (is_open(access) ? kOpenPlaces : places_)) return false;
  ++taken(access);
  return true;
}

ServerState::ServerState(Service& the_service, std::span<const std::span<const Route>> routes,
                         const ServerOptions& the_options)
    : service(the_service),
      options(the_options),
      router(routes),
      keys(the_options.keys),
      hosts(the_options.address, the_options.allowed_hosts),
      rate(the_options.rate_per_s, the_options.rate_burst),
      admission(the_options.max_concurrent),
      open_connections(the_service.metrics().level("tandem_connections", "Open connections.")),
      in_progress(the_service.metrics().level("tandem_http_requests_in_progress",
                                              "Requests that were admitted and not yet answered.")),
      workers(admission.all_places()),
      requests_(router.size() + 1),
      id_seed_(random_seed()) {
  for (std::size_t i = 0; i < router.size(); ++i) {
    seconds_.push_back(&service.metrics().seconds(
        "tandem_http_request_seconds", "From the last byte of a request to its answer.",
        fmt::format("route=\"{}\"", router.route(i).path)));
  }
}

void ServerState::count(std::size_t route, int status, Clock::duration took) {
  auto& counter = requests_[route][status];
  if (counter == nullptr) {
    const std::string_view path = route < router.size() ? router.route(route).path : "";
    counter = &service.metrics().counter("tandem_http_requests_total", "Answered requests.",
                                         fmt::format("route=\"{}\",status=\"{}\"", path, status));
  }
  counter->add();
  if (route < router.size() && status < 400) {
    seconds_[route]->observe(std::chrono::duration<double>(took).count());
  }
}

std::string ServerState::new_id() { return fmt::format("{:016x}", mixed(id_seed_ + ++id_count_)); }

}  // namespace tandem::serve
