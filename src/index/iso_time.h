// Dates and times as ISO 8601 writes them, in UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem {

// Nanoseconds since 1970 of "2024-05-01", "2024-05-01T12:00:00" or "…12:00:00.5Z", the years 1678
// to 2261. Nothing: anything else.
std::optional<std::int64_t> parse_iso_time(std::string_view text);

// "2024-05-01T12:00:00Z".
std::string iso_time(std::int64_t ns);

}  // namespace tandem
