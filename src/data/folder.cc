#include "data/folder.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string>
#include <sys/stat.h>
#include <system_error>

#include "core/error.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kExtensions = {".jpg", ".jpeg", ".png", ".webp", ".gif"};

bool is_picture_name(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

FoundFile described(const fs::path& path, const struct stat& status) {
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  return {path, static_cast<std::uint64_t>(status.st_size),
          static_cast<std::int64_t>(status.st_mtim.tv_sec) * kNanoseconds + status.st_mtim.tv_nsec};
}

// Appends the pictures below `folder`, sorted by path.
void add_folder(const fs::path& folder, std::vector<FoundFile>& found) {
  const auto first = static_cast<std::ptrdiff_t>(found.size());
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (const fs::recursive_directory_iterator end; !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    if (path.filename().native().front() == '.') {  // thumbnails, editors' and systems' own files
      entry.disable_recursion_pending();
      continue;
    }
    struct stat status{};
    if (!is_picture_name(path) || ::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
      continue;
    found.push_back(described(path, status));
  }
  if (error)
    throw Error(Kind::kIo,
                fmt::format("cannot read folder {}: {}.", folder.string(), error.message()));
  std::sort(found.begin() + first, found.end(), [](const FoundFile& a, const FoundFile& b) {
    return a.path.native() < b.path.native();
  });
}

}  // namespace

std::vector<FoundFile> find_pictures(const std::vector<fs::path>& paths) {
  std::vector<FoundFile> found;
  std::string names;
  for (const fs::path& path : paths) {
    names += (names.empty() ? "" : ", ") + path.string();
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) throw_errno("cannot open", path.string());
    if (S_ISDIR(status.st_mode)) {
      add_folder(path, found);
    } else {
      found.push_back(described(path, status));
    }
  }
  if (found.empty()) {
    throw Error(Kind::kInput,
                fmt::format("no pictures below {}. Expected {} files.",
                            names.empty() ? "nothing" : names, fmt::join(kExtensions, ", ")));
  }
  return found;
}

}  // namespace tandem
