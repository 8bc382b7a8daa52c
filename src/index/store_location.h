// Where a database is: SCHEME[+https]://[USER[:PASSWORD]@]HOST[:PORT][/PATH][?NAME=VALUE&…], each
// part as %XX where it needs to be.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace tandem {

struct StoreLocation {
  std::string scheme;  // lower case, without +https
  bool tls = false;    // +https, or tls=1
  std::string user;
  std::string password;
  std::string host;  // an IPv6 address without its brackets; may be empty
  int port = 0;      // 0: not given
  std::vector<std::string> path;
  std::map<std::string, std::string> options;  // what follows ?, tls taken out

  // The option, taken out of `options`, or `fallback`.
  std::string take(const std::string& name, const std::string& fallback);
  // The one part of the path. Throws kInput when there is none or more.
  std::string only_path(const std::string& what) const;
  // Throws kInput naming what is left in `options`.
  void refuse_rest() const;
  // The same place without anything secret, for messages: "qdrant://host:6333/pictures".
  std::string shown() const;
};

// Throws kInput; its message does not repeat the location, which may hold a password.
StoreLocation parse_store_location(const std::string& text);

}  // namespace tandem
