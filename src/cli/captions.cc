#include "cli/captions.h"

#include <sstream>

#include "tandem/error.h"

#include "core/files.h"

namespace tandem::cli {
namespace {

std::string key_of(const std::filesystem::path& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

}  // namespace

Captions::Captions(const std::filesystem::path& file) {
  std::istringstream lines(read_text_file(file));
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    const auto tab = line.find('\t');
    if (tab == std::string::npos) {
      throw Error(Kind::kInput, "--captions " + file.string() + ": line " + std::to_string(number) +
                                    " has no tab. Expected: path, tab, caption.");
    }
    by_path_[key_of(file.parent_path() / line.substr(0, tab))] = line.substr(tab + 1);
  }
}

std::string Captions::of(const std::filesystem::path& picture) const {
  if (by_path_.empty()) return "";
  const auto found = by_path_.find(key_of(picture));
  return found == by_path_.end() ? "" : found->second;
}

}  // namespace tandem::cli
