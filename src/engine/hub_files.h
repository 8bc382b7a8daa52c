// Which files of a repository make a model that Tandem can read. Pure functions over what the hub
// says; nothing here talks to a network.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

// A file as a registry row knows it.
struct HubFile {
  std::string name;
  std::string sha256;  // empty: not published
  std::optional<std::uint64_t> size_bytes;
};

// What GET /api/models/ORG/NAME/revision/REV answers.
struct HubListing {
  std::string commit;              // the commit that the revision means now
  std::vector<std::string> files;  // as the hub lists them; only names that stay in a folder
};

// Throws kCorrupt when the answer is not such a listing.
HubListing parse_listing(std::string_view text, const std::string& where);

struct FileChoice {
  std::vector<std::string> before;  // configs and tokenizer, in this order
  std::string weights;              // one file, or the index of several; fetched last
};

// Prefers open_clip's file, then transformers' (one or many). Throws kUnsupported with the command
// that converts elsewhere when there is nothing but pickles, kNotFound when there are no weights.
FileChoice choose_files(const HubListing& listing, const std::string& repository);

}  // namespace tandem
