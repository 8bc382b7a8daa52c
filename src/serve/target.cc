#include "serve/target.h"

namespace tandem::serve {
namespace {

constexpr std::size_t kMostQueryParts = 100;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool read_query(std::string_view text, std::map<std::string, std::string>& query) {
  std::size_t parts = 0;
  while (!text.empty()) {
    const auto end = text.find('&');
    const auto part = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (part.empty()) continue;
    if (++parts > kMostQueryParts) return false;
    const auto equals = part.find('=');
    auto name = percent_decoded(part.substr(0, equals), Plus::kSpace);
    auto value = equals == std::string_view::npos
                     ? std::string()
                     : percent_decoded(part.substr(equals + 1), Plus::kSpace);
    if (!name || !value) return false;
    query[*std::move(name)] = *std::move(value);
  }
  return true;
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::kSpace) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::optional<Target> parse_target(std::string_view target) {
  Target parts;
  if (target == "*") {
    parts.path = "*";
    return parts;
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    target.remove_prefix(scheme.size());
    const auto end = std::min(target.find_first_of("/?"), target.size());
    parts.host = target.substr(0, end);
    if (parts.host.empty()) return std::nullopt;
    target.remove_prefix(end);
    break;
  }
  if (target.find('#') != std::string_view::npos) return std::nullopt;
  const auto question = target.find('?');
  parts.path = target.substr(0, question);
  if (parts.path.empty() && !parts.host.empty()) parts.path = "/";
  if (!parts.path.starts_with('/')) return std::nullopt;
  if (!percent_decoded(parts.path, Plus::kPlus)) return std::nullopt;
  if (question != std::string_view::npos && !read_query(target.substr(question + 1), parts.query)) {
    return std::nullopt;
  }
  return parts;
}

}  // namespace tandem::serve
