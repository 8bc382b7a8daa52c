// Who may speak to this server from a browser: names in Host (a page elsewhere can let its own name
// point here), origins of writes, and whose X-Forwarded-For is believed. Immutable; safe to share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tandem::serve {

class Hosts {
 public:
  // address: bound to. "0.0.0.0" and "::": any address in figures is fine, as only names can be
  // made to point elsewhere.
  Hosts(std::string address, std::vector<std::string> allowed);

  // host: of a Host header, "localhost:8420", "[::1]:8420", "example.org". Ports do not matter.
  bool is_allowed(std::string_view host) const;

 private:
  std::string address_;
  std::vector<std::string> allowed_;  // lower case
};

// Whether a page from `origin` ("https://example.org:8080") is served by `host`.
bool is_same_origin(std::string_view origin, std::string_view host);

// Whether only this machine reaches it: 127.0.0.0/8 or ::1.
bool is_loopback(const std::string& address);

// Who sent it: `peer`, or where that is one of `proxies` the last of X-Forwarded-For that is none.
std::string forwarded_peer(const std::string& peer, std::string_view forwarded_for,
                           const std::vector<std::string>& proxies);

}  // namespace tandem::serve
