#include "cli/keys_file.h"

#include <algorithm>
#include <sstream>

#include "tandem/error.h"

#include "core/files.h"

namespace tandem::cli {
namespace {

constexpr std::size_t kMostFileBytes = 1 << 20;

[[noreturn]] void throw_line(const std::string& where, std::size_t line, const std::string& what) {
  throw Error(Kind::kInput, where + ":" + std::to_string(line) + ": expected " + what + ".");
}

}  // namespace

std::vector<serve::ApiKey> parse_keys(std::string_view text, const std::string& where) {
  std::vector<serve::ApiKey> keys;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line);
    std::string access;
    if (!(words >> access) || access.starts_with('#')) continue;
    serve::ApiKey key;
    std::string more;
    if (access == "read") {
      key.most = serve::Access::kRead;
    } else if (access == "write") {
      key.most = serve::Access::kWrite;
    } else if (access == "admin") {
      key.most = serve::Access::kAdmin;
    } else {
      throw_line(where, number, "read, write or admin as the first word");
    }
    if (!(words >> key.name >> key.secret) || words >> more) {
      throw_line(where, number, "three words: access, name, secret");
    }
    if (key.secret.size() < kLeastSecretBytes) {
      throw_line(where, number,
                 "a secret of at least " + std::to_string(kLeastSecretBytes) +
                     " characters: openssl rand -hex 24 makes one");
    }
    const auto same_name = [&](const auto& other) { return other.name == key.name; };
    if (std::any_of(keys.begin(), keys.end(), same_name)) {
      throw_line(where, number, "a name that no other line has");
    }
    keys.push_back(std::move(key));
  }
  if (keys.empty()) {
    throw Error(Kind::kInput, where + ": no key in it. Expected lines of: access, name, secret.");
  }
  return keys;
}

std::vector<serve::ApiKey> read_keys(const std::filesystem::path& path) {
  return parse_keys(read_text_file(path, kMostFileBytes), path.string());
}

}  // namespace tandem::cli
