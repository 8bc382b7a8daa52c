// SHA-256 (FIPS 180-4), streaming. For content identity and checksums.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tandem {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(std::span<const std::byte> bytes);
std::string hex(std::span<const std::uint8_t> digest);

}  // namespace tandem
