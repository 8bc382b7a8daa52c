#include "cli/hub_environment.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "core/error.h"
#include "core/files.h"

namespace tandem::cli {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string first_of(std::initializer_list<const char*> names) {
  for (const auto* name : names) {
    if (auto value = variable(name); !value.empty()) return value;
  }
  return {};
}

fs::path expand(const std::string& path) {
  if (path == "~" || path.starts_with("~/")) return variable("HOME") + path.substr(1);
  return path;
}

fs::path home_folder() {
  if (const auto given = variable("HF_HOME"); !given.empty()) return expand(given);
  if (const auto cache = variable("XDG_CACHE_HOME"); !cache.empty())
    return expand(cache) / "huggingface";
  const auto home = variable("HOME");
  return home.empty() ? fs::path() : fs::path(home) / ".cache" / "huggingface";
}

bool is_true(std::string value) {
  std::transform(value.begin(), value.end(), value.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

void read_seconds(const char* name, std::chrono::milliseconds& into) {
  const auto value = variable(name);
  double seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc() && end == value.data() + value.size() && seconds > 0 && seconds < 1e6)
    into = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

}  // namespace

HubOptions read_hub_environment() {
  HubOptions options;
  if (auto endpoint = variable("HF_ENDPOINT"); !endpoint.empty()) {
    while (endpoint.ends_with('/')) endpoint.pop_back();
    options.endpoint = endpoint;
  }
  const auto cache = first_of({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"});
  const auto home = home_folder();
  if (!cache.empty()) {
    options.cache = expand(cache);
  } else if (!home.empty()) {
    options.cache = home / "hub";
  }
  options.offline = is_true(first_of({"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}));
  read_seconds("HF_HUB_ETAG_TIMEOUT", options.answer_timeout);
  read_seconds("HF_HUB_DOWNLOAD_TIMEOUT", options.stall_timeout);
  return options;
}

std::string read_hub_token() {
  auto token = first_of({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"});
  if (token.empty()) {
    const auto given = variable("HF_TOKEN_PATH");
    const auto file = given.empty() ? home_folder() / "token" : expand(given);
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored)) token = read_text_file(file, 64 << 10);
  }
  token.erase(0, token.find_first_not_of(" \t\r\n"));
  token.erase(token.find_last_not_of(" \t\r\n") + 1);
  const bool odd = std::any_of(token.begin(), token.end(),
                               [](unsigned char c) { return c <= 0x20 || c >= 0x7f; });
  if (odd)
    throw Error(Kind::kInput,
                "HF_TOKEN holds more than letters, digits and signs. "
                "Expected a token as the hub's settings page shows it.");
  return token;
}

}  // namespace tandem::cli
