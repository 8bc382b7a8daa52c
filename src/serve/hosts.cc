#include "serve/hosts.h"

#include <algorithm>
#include <arpa/inet.h>

namespace tandem::serve {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Without port and brackets; empty when it is not a host.
std::string name_of(std::string_view host) {
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    if (end == std::string_view::npos) return "";
    const auto after = host.substr(end + 1);
    if (!after.empty() && after.front() != ':') return "";
    return lower(host.substr(1, end - 1));
  }
  return lower(host.substr(0, host.find(':')));
}

bool is_ip(const std::string& text) {
  in6_addr buffer{};
  return inet_pton(AF_INET, text.c_str(), &buffer) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &buffer) == 1;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

Hosts::Hosts(std::string address, std::vector<std::string> allowed) : address_(std::move(address)) {
  for (const auto& host : allowed) allowed_.push_back(name_of(host));
}

bool Hosts::is_allowed(std::string_view host) const {
  const auto name = name_of(host);
  if (name.empty()) return false;
  if (name == "localhost" || name == lower(address_)) return true;
  if (is_ip(name)) {
    return is_loopback(name) || address_ == "0.0.0.0" || address_ == "::";
  }
  return std::find(allowed_.begin(), allowed_.end(), name) != allowed_.end();
}

bool is_same_origin(std::string_view origin, std::string_view host) {
  const auto scheme_end = origin.find("://");
  if (scheme_end == std::string_view::npos) return false;
  const auto scheme = lower(origin.substr(0, scheme_end));
  if (scheme != "http" && scheme != "https") return false;
  const auto with_port = [&](std::string_view text) {
    auto out = lower(text);
    const bool has_port =
        out.find(':', out.find(']') == std::string::npos ? 0 : out.find(']')) != std::string::npos;
    if (!has_port) out += scheme == "https" ? ":443" : ":80";
    return out;
  };
  return with_port(origin.substr(scheme_end + 3)) == with_port(host);
}

bool is_loopback(const std::string& address) {
  in_addr four{};
  if (inet_pton(AF_INET, address.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
  return address == "::1";
}

std::string forwarded_peer(const std::string& peer, std::string_view forwarded_for,
                           const std::vector<std::string>& proxies) {
  const auto is_proxy = [&](const std::string& address) {
    return std::find(proxies.begin(), proxies.end(), address) != proxies.end();
  };
  std::string last = peer;
  while (is_proxy(last) && !forwarded_for.empty()) {
    const auto comma = forwarded_for.rfind(',');
    const bool more = comma != std::string_view::npos;
    const std::string address(trimmed(more ? forwarded_for.substr(comma + 1) : forwarded_for));
    if (!is_ip(address)) break;
    last = address;
    forwarded_for = more ? forwarded_for.substr(0, comma) : std::string_view{};
  }
  return last;
}

}  // namespace tandem::serve
