// Fetching a model from the hub into its cache folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/hub_cache.h"
#include "engine/hub_connection.h"
#include "engine/hub_files.h"

namespace tandem {

struct PullRequest {
  HubName name;
  std::vector<HubFile> known;  // what a registry row publishes of the files: checked
  // Called once the small files are there, before the weights are fetched. Throws to refuse them.
  std::function<void(const std::filesystem::path& snapshot)> check;
  // Bytes there and bytes in all, of the files that have to be fetched.
  std::function<void(std::uint64_t have_bytes, std::uint64_t total_bytes)> came;
};

struct PulledFile {
  std::string name;
  std::uint64_t size_bytes = 0;
  bool was_here = false;
};

struct PullResult {
  std::filesystem::path snapshot;
  std::string commit;
  std::vector<PulledFile> files;
  std::uint64_t fetched_bytes = 0;
  bool interrupted = false;  // then run it again: it goes on where it was
};

// Fetches what the model needs and is not there, checks everything against its sha256, and points
// the revision at it last. Files already there are checked too. With `offline`, only says what is
// there. Throws kNetwork, kNotFound, kUnsupported (only pickles), kCorrupt, kIo (no room), and what
// `check` throws.
PullResult pull(const PullRequest& request, const HubOptions& options);

}  // namespace tandem
