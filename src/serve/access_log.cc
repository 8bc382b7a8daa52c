#include "serve/access_log.h"

#include <ctime>
#include <fmt/format.h>

#include "core/json.h"

namespace tandem::serve {
namespace {

// Methods and ids come from outside: quoted by the one JSON writer.
std::string quoted(std::string_view text) { return json::dump(json::value(text)); }

std::string utc(std::chrono::system_clock::time_point now) {
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     ms % 1000);
}

}  // namespace

std::string access_line(const AccessEntry& entry, std::chrono::system_clock::time_point now) {
  const double ms = std::chrono::duration<double, std::milli>(entry.took).count();
  return fmt::format(
      R"({{"time":"{}","id":{},"peer":"{}","key":{},"method":{},"route":"{}","status":{},)"
      R"("bytes_in":{},"bytes_out":{},"ms":{:.3f}}})",
      utc(now), quoted(entry.id), entry.peer, quoted(entry.key), quoted(entry.method), entry.route,
      entry.status, entry.bytes_in, entry.bytes_out, ms);
}

}  // namespace tandem::serve
