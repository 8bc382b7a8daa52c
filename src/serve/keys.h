// API keys: told apart in constant time. Immutable; safe to share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/sha256.h"
#include "serve/server.h"

namespace tandem::serve {

class Keys {
 public:
  explicit Keys(const std::vector<ApiKey>& keys);

  bool none() const { return keys_.empty(); }
  // The key that "Bearer SECRET" shows; null: none of them. Takes as long for any secret.
  const ApiKey* find(std::string_view authorization) const;
  // Throws HttpError 401 or 403 when `shown` (may be null) does not open what needs `access`.
  void check(const ApiKey* shown, Access access) const;

 private:
  struct Known {
    ApiKey key;
    Sha256 digest{};  // of the secret: equally long for all
  };
  std::vector<Known> keys_;
};

}  // namespace tandem::serve
