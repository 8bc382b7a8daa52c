// Captions of pictures from a file of lines "path<TAB>caption".
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace tandem::cli {

class Captions {
 public:
  Captions() = default;
  // Paths in it are relative to its folder. Throws kNotFound, kIo, kInput for a line without a tab.
  explicit Captions(const std::filesystem::path& file);
  // Empty when there is none.
  std::string of(const std::filesystem::path& picture) const;

 private:
  std::map<std::string, std::string> by_path_;  // absolute, normal paths
};

}  // namespace tandem::cli
