#include "engine/hub_cache.h"

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <set>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestName = 96;   // the hub's limit on ORG/NAME
constexpr std::size_t kLongestPath = 512;  // of a file or revision
constexpr std::size_t kMostIndexBytes = 64 << 20;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_name_part(std::string_view text) {
  if (text.empty() || !is_word(text.front()) || !is_word(text.back())) return false;
  if (text.find("--") != text.npos || text.find("..") != text.npos) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_word(c) || c == '-' || c == '.'; });
}

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

bool has_all_shards(const fs::path& folder) {
  const auto index = folder / "model.safetensors.index.json";
  try {
    const auto names = shards_of(read_text_file(index, kMostIndexBytes), index.string());
    return std::all_of(names.begin(), names.end(),
                       [&](const std::string& name) { return is_there(folder / name); });
  } catch (const Error&) {
    return false;  // not a model that can be read: as good as absent
  }
}

}  // namespace

bool is_repository(std::string_view text) {
  if (text.size() > kLongestName) return false;
  const auto slash = text.find('/');
  if (slash == text.npos) return is_name_part(text);
  return is_name_part(text.substr(0, slash)) && is_name_part(text.substr(slash + 1));
}

bool is_hub_file(std::string_view text) {
  if (text.empty() || text.size() > kLongestPath) return false;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find('/', begin), text.size());
    const auto part = text.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '\\' && c != ':';
  });
}

bool is_revision(std::string_view text) {
  return is_hub_file(text) && std::all_of(text.begin(), text.end(), [](char c) {
           return is_word(c) || c == '-' || c == '.' || c == '/' || c == '+';
         });
}

bool is_commit(std::string_view text) { return is_hex(text, 40); }
bool is_sha256(std::string_view text) { return is_hex(text, 64); }

std::optional<HubName> read_hub_name(const std::string& text) {
  constexpr std::string_view kPrefix = "hf-hub:";
  if (!text.starts_with(kPrefix)) return std::nullopt;
  HubName name{.repository = text.substr(kPrefix.size())};
  if (const auto at = name.repository.find('@'); at != std::string::npos) {
    name.revision = name.repository.substr(at + 1);
    name.repository.resize(at);
  }
  if (!is_repository(name.repository) || !is_revision(name.revision)) {
    throw Error(Kind::kInput,
                text + ": not a name on the hub. Expected hf-hub:ORG/REPO or hf-hub:ORG/REPO@TAG.");
  }
  return name;
}

fs::path repository_folder(const fs::path& cache, const std::string& repository) {
  std::string folder = "models--" + repository;
  if (const auto slash = folder.find('/'); slash != std::string::npos)
    folder.replace(slash, 1, "--");
  return cache / folder;
}

std::optional<fs::path> find_snapshot(const fs::path& cache, const HubName& name) {
  const auto folder = repository_folder(cache, name.repository);
  std::string commit = name.revision;
  if (!is_commit(commit)) {
    const auto ref = folder / "refs" / name.revision;
    std::error_code error;
    if (!fs::is_regular_file(ref, error)) return std::nullopt;
    commit = read_text_file(ref, 1024);
    commit.erase(commit.find_last_not_of(" \r\n") + 1);
    if (!is_commit(commit)) return std::nullopt;
  }
  auto snapshot = folder / "snapshots" / commit;
  std::error_code error;
  if (!fs::is_directory(snapshot, error)) return std::nullopt;
  return snapshot;
}

bool has_weights(const fs::path& folder) {
  return is_there(folder / "open_clip_model.safetensors") ||
         is_there(folder / "model.safetensors") || has_all_shards(folder);
}

std::vector<std::string> shards_of(std::string_view index_json, const std::string& where) {
  const auto value = json::parse(index_json, where);
  const json::Reader reader(value, where);
  const auto map = reader.required_child("weight_map");
  std::set<std::string> names;
  for (const auto& entry : map.raw()) {
    const auto name = map.text(std::string_view(entry.key()));
    if (!is_hub_file(name) || !name.ends_with(".safetensors")) {
      throw Error(Kind::kCorrupt,
                  where + ": weight_map: \"" + name +
                      "\" leads elsewhere. Expected a .safetensors file in its folder.");
    }
    names.insert(name);
  }
  if (names.empty()) throw Error(Kind::kCorrupt, where + ": weight_map names no file.");
  return {names.begin(), names.end()};
}

void link_blob(const fs::path& blob, const fs::path& link) {
  fs::create_directories(link.parent_path());
  const auto temporary =
      link.parent_path() / ("." + link.filename().string() + "." + std::to_string(getpid()));
  std::error_code error;
  fs::remove(temporary, error);
  fs::create_symlink(blob.lexically_relative(link.parent_path()), temporary, error);
  if (error) fs::create_hard_link(blob, temporary, error);  // some file systems have no symlinks
  if (!error) fs::rename(temporary, link, error);
  if (error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw Error(Kind::kIo, "cannot link " + link.string() + " to " + blob.string() + ": " +
                               error.message() + ". Expected a cache folder that can hold links.");
  }
}

FileLock::FileLock(const fs::path& path, const std::function<void()>& waiting,
                   const std::atomic<bool>* stop) {
  fs::create_directories(path.parent_path());
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0) throw_errno("cannot open", path.string());
  bool told = false;
  while (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) break;  // no locks here: rename keeps us safe
    if (stop != nullptr && *stop) return;
    if (!told && waiting) waiting();
    told = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  held_ = true;
}

FileLock::~FileLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace tandem
