// Which network addresses strangers' URLs may lead to: only those that the public internet routes.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace tandem {

// bytes: an address in network order, 4 (IPv4) or 16 (IPv6); any other length is not public. False
// for private, loopback, link-local, shared, documentation, benchmarking, multicast, reserved and
// translated addresses (6to4, Teredo, IPv4-mapped; NAT64 counts as the IPv4 address within).
// Source: IANA special-purpose address registries for IPv4 and IPv6.
bool is_public_address(std::span<const std::uint8_t> bytes);

// Why a stranger's URL is refused before anything is asked of the network; empty: it is not.
// Expects http or https, port 80 or 443, a host, no user or password, and plain characters.
std::string public_url_problem(const std::string& url);

}  // namespace tandem
