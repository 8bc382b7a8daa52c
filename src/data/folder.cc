#include "data/folder.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <unordered_set>

#include "core/error.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kExtensions = {".jpg", ".jpeg", ".png", ".webp", ".gif"};

FoundFile described(const fs::path& path, const struct stat& status) {
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  return {path, static_cast<std::uint64_t>(status.st_size),
          static_cast<std::int64_t>(status.st_mtim.tv_sec) * kNanoseconds + status.st_mtim.tv_nsec};
}

template <typename Exists>
void mark_side_files(FoundFile& file, const Exists& exists) {
  unsigned bit = 1;
  for (const auto& kind : kSideFiles) {
    if (exists(side_file(file.path, kind))) file.side_files |= static_cast<std::uint8_t>(bit);
    bit <<= 1;
  }
}

// One folder after the other, so that one that cannot be read costs only itself.
class Walk {
 public:
  explicit Walk(FolderScan& scan) : scan_(scan) {}

  // Appends the pictures below `folder`, sorted by path.
  void add(const fs::path& folder) {
    const auto first = static_cast<std::ptrdiff_t>(scan_.files.size());
    std::vector<fs::path> waiting{folder};
    while (!waiting.empty()) {
      const auto next = std::move(waiting.back());
      waiting.pop_back();
      add_one(next, waiting);
    }
    std::sort(
        scan_.files.begin() + first, scan_.files.end(),
        [](const FoundFile& a, const FoundFile& b) { return a.path.native() < b.path.native(); });
  }

 private:
  void add_one(const fs::path& folder, std::vector<fs::path>& waiting) {
    std::error_code error;
    const auto first = scan_.files.size();
    std::unordered_set<std::string> side_files;
    fs::directory_iterator entry(folder, error);
    for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
      const fs::path& path = entry->path();
      // Thumbnails, editors' and systems' own files.
      if (path.filename().native().front() == '.') continue;
      std::error_code ignored;
      if (entry->is_directory(ignored) && !entry->is_symlink(ignored)) {
        waiting.push_back(path);
      } else if (is_picture_name(path)) {
        struct stat status{};
        if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode))
          scan_.files.push_back(described(path, status));
      } else if (path.extension() == ".txt" || path.extension() == ".json") {
        side_files.insert(path.filename().native());
      }
    }
    if (error) {
      scan_.unreadable.emplace_back(
          folder, Error(Kind::kIo, fmt::format("cannot read folder {}: {}.", folder.string(),
                                               error.message())));
    }
    if (side_files.empty()) return;
    for (auto i = first; i < scan_.files.size(); ++i) {
      auto& file = scan_.files[i];
      mark_side_files(file, [&](const fs::path& path) {
        return side_files.contains(path.filename().native());
      });
    }
  }

  FolderScan& scan_;
};

}  // namespace

fs::path side_file(const fs::path& picture, const SideFileKind& kind) {
  fs::path path = picture;
  if (kind.replaces) return path.replace_extension(kind.ending);
  path += kind.ending;
  return path;
}

FolderScan scan_pictures(const std::vector<fs::path>& paths) {
  FolderScan scan;
  Walk walk(scan);
  for (const fs::path& path : paths) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) throw_errno("cannot open", path.string());
    if (S_ISDIR(status.st_mode)) {
      walk.add(path);
      continue;
    }
    auto file = described(path, status);
    mark_side_files(file,
                    [](const fs::path& beside) { return ::access(beside.c_str(), F_OK) == 0; });
    scan.files.push_back(std::move(file));
  }
  return scan;
}

std::vector<FoundFile> find_pictures(const std::vector<fs::path>& paths) {
  auto scan = scan_pictures(paths);
  if (!scan.unreadable.empty()) throw scan.unreadable.front().second;
  if (scan.files.empty()) throw_no_pictures(paths);
  return std::move(scan.files);
}

bool is_picture_name(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

void throw_no_pictures(const std::vector<fs::path>& paths) {
  std::string names;
  for (const auto& path : paths) names += (names.empty() ? "" : ", ") + path.string();
  throw Error(Kind::kInput,
              fmt::format("no pictures below {}. Expected {} files.",
                          names.empty() ? "nothing" : names, fmt::join(kExtensions, ", ")));
}

}  // namespace tandem
