// One line of JSON for each answered request. No query texts, no bodies, no secrets.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace tandem::serve {

struct AccessEntry {
  std::string_view id;
  std::string_view peer;
  std::string_view key;  // its name
  std::string_view method;
  std::string_view route;  // the table's path, "/v1/items/{id}"; empty: none
  int status = 0;
  std::size_t bytes_in = 0;
  std::size_t bytes_out = 0;
  std::chrono::steady_clock::duration took{};
};

// {"time":"2026-01-02T03:04:05.678Z","id":…,"peer":…,"key":…,"method":…,"route":…,"status":…,
//  "bytes_in":…,"bytes_out":…,"ms":…}
std::string access_line(const AccessEntry& entry, std::chrono::system_clock::time_point now);

}  // namespace tandem::serve
