#include "serve/keys.h"

namespace tandem::serve {
namespace {

Sha256 digest_of(std::string_view secret) {
  return sha256(std::as_bytes(std::span(secret.data(), secret.size())));
}

bool equal(const Sha256& a, const Sha256& b) {
  unsigned different = 0;
  for (std::size_t i = 0; i < a.size(); ++i) different |= static_cast<unsigned>(a[i] ^ b[i]);
  return different == 0;
}

int rank(Access access) { return static_cast<int>(access); }

}  // namespace

Keys::Keys(const std::vector<ApiKey>& keys) {
  for (const auto& key : keys) {
    keys_.push_back({key, digest_of(key.secret)});
    keys_.back().key.secret.clear();
  }
}

const ApiKey* Keys::find(std::string_view authorization) const {
  // The scheme's case does not matter (RFC 9110 section 11.1).
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() < kScheme.size()) return nullptr;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    if ((authorization[i] | 0x20) != (kScheme[i] | 0x20)) return nullptr;
  }
  authorization.remove_prefix(kScheme.size());
  const auto digest = digest_of(authorization);
  const ApiKey* found = nullptr;
  for (const auto& known : keys_) {
    if (equal(known.digest, digest)) found = &known.key;
  }
  return found;
}

void Keys::check(const ApiKey* shown, Access access) const {
  if (access == Access::kOpen) return;
  if (none() && access != Access::kAdmin) return;
  if (shown == nullptr) {
    throw HttpError(401, "unauthorized", "expected Authorization: Bearer with a key that is known");
  }
  if (rank(shown->most) < rank(access)) {
    throw HttpError(403, "forbidden", "this key may not do that");
  }
}

}  // namespace tandem::serve
