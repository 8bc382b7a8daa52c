// The API keys of `tandem serve`, from a file.
//   # access name secret
//   read  phone   5f0c2e…
//   write laptop  91bb40…
//   admin metrics 0d7a11…
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "serve/server.h"

namespace tandem::cli {

// Secrets are at least this long: shorter ones can be guessed.
inline constexpr std::size_t kLeastSecretBytes = 16;

// where: named in messages, which never show a secret. Throws kInput saying which line and what was
// expected.
std::vector<serve::ApiKey> parse_keys(std::string_view text, const std::string& where);
// Also kNotFound, kIo.
std::vector<serve::ApiKey> read_keys(const std::filesystem::path& path);

}  // namespace tandem::cli
