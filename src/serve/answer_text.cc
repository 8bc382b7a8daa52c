#include "serve/answer_text.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <iterator>

#include "serve/answers.h"

namespace tandem::serve {
namespace {

struct Default {
  std::string_view name;
  std::string_view value;
};

constexpr std::array<Default, 4> kDefaults = {
    {{"Cache-Control", "no-store"},
     {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
     {"X-Frame-Options", "DENY"},
     {"Referrer-Policy", "no-referrer"}}};

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto low = [](char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : int{c}; };
    return low(x) == low(y);
  });
}

bool fits_a_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

bool has(const Response& answer, std::string_view name) {
  return std::any_of(answer.headers.begin(), answer.headers.end(),
                     [&](const auto& header) { return same_name(header.first, name); });
}

void add(std::string& out, std::string_view name, std::string_view value) {
  if (!fits_a_line(name) || !fits_a_line(value)) return;
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

std::string wire_text(const Response& answer, const WireOptions& options) {
  const bool bodiless = answer.status == 204 || answer.status == 304;
  std::string out;
  out.reserve(512 + (options.head_only ? 0 : answer.body.size()));
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", answer.status,
                 reason_of(answer.status));
  if (!bodiless) {
    add(out, "Content-Type", answer.content_type);
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", answer.body.size());
  }
  add(out, "Connection", options.keep_alive ? "keep-alive" : "close");
  if (!options.request_id.empty()) add(out, "X-Request-Id", options.request_id);
  out.append("X-Content-Type-Options: nosniff\r\n");
  for (const auto& [name, value] : kDefaults) {
    if (!has(answer, name)) add(out, name, value);
  }
  if (!options.cors_origin.empty()) {
    add(out, "Access-Control-Allow-Origin", options.cors_origin);
    add(out, "Access-Control-Expose-Headers", "X-Request-Id, Retry-After");
    add(out, "Vary", "Origin");
  }
  for (const auto& [name, value] : answer.headers) add(out, name, value);
  out.append("\r\n");
  if (!options.head_only && !bodiless) out.append(answer.body);
  return out;
}

}  // namespace tandem::serve
