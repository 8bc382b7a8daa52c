// SHA-256 (FIPS 180-4) for content identity and checksums. Uses the SHA instructions where the
// processor has them.
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
