#include "index/store_location.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include "core/error.h"

namespace tandem {
namespace {

[[noreturn]] void refuse(const std::string& scheme, const std::string& why) {
  throw Error(Kind::kInput,
              fmt::format("{}: {}. Expected SCHEME://[USER:PASSWORD@]HOST[:PORT]/NAME[?OPTION=…], "
                          "with %XX for characters that have a meaning there.",
                          scheme.empty() ? "location" : scheme + "://…", why));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decoded(std::string_view text, const std::string& scheme) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) refuse(scheme, "a % without two hex digits");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(by), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

void read_options(StoreLocation& at, std::string_view text) {
  for (const auto part : split(text, '&')) {
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) refuse(at.scheme, "an option without a value");
    at.options[decoded(part.substr(0, equals), at.scheme)] =
        decoded(part.substr(equals + 1), at.scheme);
  }
  const auto tls = at.take("tls", at.tls ? "1" : "0");
  if (tls != "0" && tls != "1") refuse(at.scheme, "tls is neither 0 nor 1");
  at.tls = tls == "1";
}

void read_host(StoreLocation& at, std::string_view text) {
  const auto bracket = text.starts_with("[") ? text.find(']') : 0;
  if (bracket == std::string_view::npos) refuse(at.scheme, "[ without ]");
  const auto colon = text.find(':', bracket);
  const auto host = text.substr(0, colon);
  at.host = decoded(bracket > 0 ? host.substr(1, bracket - 1) : host, at.scheme);
  if (colon == std::string_view::npos) return;
  const auto port = text.substr(colon + 1);
  const auto* end = port.data() + port.size();
  const auto [stop, problem] = std::from_chars(port.data(), end, at.port);
  if (problem != std::errc() || stop != end || at.port < 1 || at.port > 65'535)
    refuse(at.scheme, "the port is no number from 1 to 65535");
}

}  // namespace

std::string StoreLocation::take(const std::string& name, const std::string& fallback) {
  const auto found = options.find(name);
  if (found == options.end()) return fallback;
  auto value = std::move(found->second);
  options.erase(found);
  return value;
}

std::string StoreLocation::only_path(const std::string& what) const {
  if (path.size() != 1)
    refuse(scheme, path.empty() ? "no " + what + " is named" : "more follows the " + what);
  return path.front();
}

void StoreLocation::refuse_rest() const {
  if (!options.empty()) refuse(scheme, "unknown option " + options.begin()->first);
}

std::string StoreLocation::shown() const {
  auto out = scheme + (tls ? "+https" : "") + "://";
  out += host.find(':') != std::string::npos ? "[" + host + "]" : host;
  if (port != 0) out += fmt::format(":{}", port);
  for (const auto& part : path) out += "/" + part;
  return out;
}

StoreLocation parse_store_location(const std::string& text) {
  const auto mark = text.find("://");
  if (mark == std::string::npos) refuse("", "no ://");
  StoreLocation at;
  at.scheme = text.substr(0, mark);
  for (auto& c : at.scheme) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (at.scheme.ends_with("+https")) {
    at.tls = true;
    at.scheme.resize(at.scheme.size() - 6);
  }
  std::string_view rest = std::string_view(text).substr(mark + 3);
  const auto question = std::min(rest.find('?'), rest.size());
  const auto options = rest.substr(std::min(question + 1, rest.size()));
  rest = rest.substr(0, question);
  const auto slash = std::min(rest.find('/'), rest.size());
  for (const auto part : split(rest.substr(slash), '/'))
    at.path.push_back(decoded(part, at.scheme));
  auto authority = rest.substr(0, slash);
  const auto sign = authority.rfind('@');
  if (sign != std::string_view::npos) {
    const auto who = authority.substr(0, sign);
    const auto colon = std::min(who.find(':'), who.size());
    at.user = decoded(who.substr(0, colon), at.scheme);
    at.password = decoded(who.substr(std::min(colon + 1, who.size())), at.scheme);
    authority.remove_prefix(sign + 1);
  }
  read_host(at, authority);
  read_options(at, options);
  return at;
}

}  // namespace tandem
