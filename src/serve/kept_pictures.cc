#include "serve/kept_pictures.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

#include "core/files.h"
#include "index/item_filter.h"
#include "index/store.h"

namespace tandem::serve {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 4> kEndings = {".jpg", ".png", ".gif", ".webp"};

const char* ending_of(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\x89PNG")) return ".png";
  if (text.starts_with("GIF8")) return ".gif";
  if (text.starts_with("RIFF") && text.size() > 12 && text.substr(8, 4) == "WEBP") return ".webp";
  return ".jpg";
}

// A database's rows may hold anything, and this becomes a file's name.
bool is_hash(const std::string& sha256) {
  constexpr std::size_t kDigits = 64;
  return sha256.size() == kDigits &&
         sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
}

fs::path folder_of(const Shelf& shelf) {
  return fs::absolute(shelf.location).lexically_normal() / "pictures";
}

bool has_content(const Store& store, const std::string& sha256) {
  ItemFilter filter;
  filter.op = ItemFilter::Op::kEqual;
  filter.column = "sha256";
  filter.values = {sha256};
  return !store.list(filter, 0, 1).empty();
}

}  // namespace

fs::path keep_picture(const Shelf& shelf, const std::string& sha256,
                      std::span<const std::byte> bytes) {
  if (is_database(shelf.location))
    throw HttpError(400, "invalid_request",
                    "uri: missing. A database keeps no files: say where the picture is.", "uri");
  const fs::path folder = folder_of(shelf);
  std::error_code failure;
  if (fs::create_directory(folder, failure)) sync_folder(folder.parent_path());
  const fs::path path = folder / (sha256 + ending_of(bytes));
  if (fs::exists(path, failure)) return path;
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
  return path;
}

std::optional<fs::path> kept_picture(const Shelf& shelf, const std::string& sha256) {
  if (!is_hash(sha256) || is_database(shelf.location)) return std::nullopt;
  std::error_code failure;
  for (const char* ending : kEndings) {
    fs::path path = folder_of(shelf) / (sha256 + ending);
    if (fs::is_regular_file(path, failure)) return path;
  }
  return std::nullopt;
}

void forget_picture(const Shelf& shelf, const std::string& sha256) {
  const auto path = kept_picture(shelf, sha256);
  if (!path || has_content(*shelf.store, sha256)) return;
  // Someone may be adding the same picture now. The file moves aside first: either the other's row
  // is seen here and it moves back, or the other looks for the file after its row is stored, misses
  // it and writes it again.
  std::error_code failure;
  const fs::path aside = path->string() + ".removed";
  fs::rename(*path, aside, failure);
  if (failure) return;
  if (has_content(*shelf.store, sha256)) {
    fs::rename(aside, *path, failure);
  } else {
    fs::remove(aside, failure);
  }
}

}  // namespace tandem::serve
