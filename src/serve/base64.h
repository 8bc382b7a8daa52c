// Base64 as strangers send it (RFC 4648 section 4).
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace tandem::serve {

// Strict: its own alphabet, padded or not, no white space, no bits left over. Nothing otherwise.
std::optional<std::vector<std::byte>> base64_decoded(std::string_view text);

}  // namespace tandem::serve
