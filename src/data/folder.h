// Pictures below folders and files given on a command line.
#pragma once

#include "data/record.h"

namespace tandem {

struct FoundFile {
  std::filesystem::path path;
  std::uint64_t size_bytes = 0;
  std::int64_t mtime_ns = 0;  // nanoseconds since 1970
};

// Files keep the order given; a folder stands for the picture files below it (by extension), sorted
// by path; symbolic links to folders are not followed, and names that begin with a dot are left
// out. Throws kNotFound for a path that does not exist, kInput when nothing was found
// ("no pictures below X. Expected .jpg, …").
std::vector<FoundFile> find_pictures(const std::vector<std::filesystem::path>& paths);

}  // namespace tandem
