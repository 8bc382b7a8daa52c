// Pictures below folders and files given on a command line.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/error.h"

#include "data/record.h"

namespace tandem {

struct FoundFile {
  std::filesystem::path path;
  std::uint64_t size_bytes = 0;
  std::int64_t mtime_ns = 0;  // nanoseconds since 1970
  // Which files about it stand beside it: bit i for beach.jpg means kSideFiles[i].
  std::uint8_t side_files = 0;
};

// Beside beach.jpg: its name with the extension replaced, or added. The first that exist count.
struct SideFileKind {
  const char* ending;
  bool replaces;  // beach.txt; otherwise beach.jpg.txt
};
inline constexpr SideFileKind kSideFiles[] = {
    {".txt", true}, {".txt", false}, {".json", true}, {".json", false}};
std::filesystem::path side_file(const std::filesystem::path& picture, const SideFileKind& kind);

struct FolderScan {
  std::vector<FoundFile> files;
  // Folders that could not be read, and why.
  std::vector<std::pair<std::filesystem::path, Error>> unreadable;
};

// Files keep the order given; a folder stands for the picture files below it (by extension), sorted
// by path; symbolic links to folders are not followed, and names that begin with a dot are left
// out. Throws kNotFound for a path that does not exist.
FolderScan scan_pictures(const std::vector<std::filesystem::path>& paths);

// The same, for work that needs every one: also throws kIo for a folder that cannot be read, and
// kInput when nothing was found ("no pictures below X. Expected .jpg, …").
std::vector<FoundFile> find_pictures(const std::vector<std::filesystem::path>& paths);

// Whether a file of this name is taken for a picture.
bool is_picture_name(const std::filesystem::path& path);
// Throws kInput: "no pictures below X. Expected .jpg, …".
[[noreturn]] void throw_no_pictures(const std::vector<std::filesystem::path>& paths);

}  // namespace tandem
