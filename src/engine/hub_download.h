// One blob from the hub: fetched piece by piece into ETAG.incomplete, resumed after a cut, checked,
// and only then given its name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "engine/hub_connection.h"

namespace tandem {

// What the hub says of a file before it is fetched.
struct BlobFacts {
  std::string etag;  // its sha256 for large files, a git id for small ones: the blob's name
  std::optional<std::uint64_t> size_bytes;
};

struct BlobRequest {
  std::string url;
  std::string what;  // for messages: "ORG/NAME/file"
  BlobFacts facts;
  std::filesystem::path blob;  // where it goes; ETAG.incomplete stands beside it meanwhile
  std::function<void(std::uint64_t have_bytes)> came;
};

enum class BlobOutcome {
  kWhole,
  kChanged,      // the hub now has other bytes under this name: ask for its facts again
  kInterrupted,  // what has come is kept
};

// Requires: the blob's lock is held. A size or sha256 that does not come out right is fetched again
// from its start once, then kCorrupt. Throws kNetwork, kNotFound, kIo (disk full).
BlobOutcome download_blob(HubConnection& hub, const BlobRequest& request);

// Whether the blob's bytes are what its name says: the size, and the sha256 where the name is one.
bool is_whole(const std::filesystem::path& blob, const BlobFacts& facts);

// The facts in a HEAD's answer. Throws kNetwork when it is not a hub's.
BlobFacts read_facts(const HttpResponse& response, const std::string& what);

}  // namespace tandem
