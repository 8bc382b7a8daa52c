// The paths of files that were found.
#pragma once

#include <filesystem>
#include <vector>

#include "data/folder.h"

namespace tandem::cli {

inline std::vector<std::filesystem::path> paths_of(const std::vector<FoundFile>& files) {
  std::vector<std::filesystem::path> paths;
  paths.reserve(files.size());
  for (const auto& file : files) paths.push_back(file.path);
  return paths;
}

}  // namespace tandem::cli
