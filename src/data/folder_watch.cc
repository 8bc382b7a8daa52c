#include "data/folder_watch.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/error.h"
#include "data/folder.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr unsigned kEvents = IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE |
                             IN_ATTRIB | IN_EXCL_UNLINK;

bool is_hidden(std::string_view name) { return name.starts_with('.'); }

// Of pictures and of what stands beside them.
bool matters(const std::string& name) {
  const auto extension = fs::path(name).extension();
  return is_picture_name(name) || extension == ".txt" || extension == ".json";
}

// Removes what lies below another.
std::vector<std::string> outermost(const std::set<std::string>& paths) {
  std::vector<std::string> out;
  for (const auto& path : paths) {
    const bool below = std::any_of(out.begin(), out.end(), [&](const std::string& other) {
      return path.starts_with(other) && (other.ends_with('/') || path[other.size()] == '/');
    });
    if (!below) out.push_back(path);
  }
  return out;
}

std::string join(const std::string& folder, const std::string& name) {
  return folder == "." ? name : folder.ends_with('/') ? folder + name : folder + "/" + name;
}

}  // namespace

FolderWatch::FolderWatch(const std::vector<std::string>& roots) : roots_(roots) {
  fd_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd_ < 0) throw_errno("cannot watch", "folders");
  for (const auto& root : roots) {
    if (fs::is_directory(root)) {
      watch_below(root);
      continue;
    }
    files_.insert(root);
    const auto parent = fs::path(root).parent_path().string();
    watch(parent.empty() ? "." : parent);
  }
}

FolderWatch::~FolderWatch() {
  if (fd_ >= 0) close(fd_);
}

void FolderWatch::watch(const std::string& folder) {
  const int id = inotify_add_watch(fd_, folder.c_str(), kEvents | IN_ONLYDIR);
  if (id >= 0) {
    path_of_[id] = folder;
    return;
  }
  if (errno == ENOSPC) {
    throw Error(Kind::kIo,
                fmt::format("cannot watch {} folders or more: the system's limit is reached. Raise "
                            "it with: sysctl fs.inotify.max_user_watches=1000000",
                            path_of_.size()));
  }
  // Gone already, or not to be read: scan_pictures says so.
}

void FolderWatch::watch_below(const std::string& folder) {
  std::vector<std::string> waiting{folder};
  while (!waiting.empty()) {
    const auto next = std::move(waiting.back());
    waiting.pop_back();
    watch(next);
    std::error_code error;
    fs::directory_iterator entry(next, error);
    for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
      const auto name = entry->path().filename().string();
      std::error_code ignored;
      if (is_hidden(name) || entry->is_symlink(ignored) || !entry->is_directory(ignored)) continue;
      waiting.push_back(join(next, name));
    }
  }
}

void FolderWatch::note(const std::string& folder, const std::string& name, unsigned mask,
                       Changes& changes) {
  if ((mask & IN_UNMOUNT) != 0) {
    changes.unmounted.push_back(folder);
    return;
  }
  if (name.empty() || is_hidden(name)) return;
  const auto path = join(folder, name);
  if ((mask & IN_ISDIR) != 0) {
    // Its files may have come before the watch did: the folder is looked at as a whole.
    if ((mask & (IN_CREATE | IN_MOVED_TO)) != 0) watch_below(path);
    if ((mask & IN_ATTRIB) == 0) changed_.insert(path);
    return;
  }
  if (!matters(name)) return;
  const bool within = std::any_of(roots_.begin(), roots_.end(), [&](const std::string& root) {
    return !files_.contains(root) &&
           (root == "." || root == "/" || folder == root || folder.starts_with(root + "/"));
  });
  if (within) {
    changed_.insert(folder);
  } else if (files_.contains(path)) {
    changed_.insert(path);
  }
}

// Returns whether there were any that matter.
bool FolderWatch::read_events(Changes& changes) {
  const auto before = changed_.size();
  alignas(inotify_event) char buffer[16 * (sizeof(inotify_event) + NAME_MAX + 1)];
  bool any = false;
  ssize_t got = 0;
  while ((got = read(fd_, buffer, sizeof buffer)) > 0) {
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if ((event->mask & IN_Q_OVERFLOW) != 0) changes.lost = true;
      const auto folder = path_of_.find(event->wd);
      if (folder == path_of_.end()) continue;
      const std::string path = folder->second;
      note(path, event->len > 0 ? event->name : "", event->mask, changes);
      if ((event->mask & IN_IGNORED) != 0) path_of_.erase(event->wd);
      any = true;
    }
  }
  return changed_.size() > before || changes.lost || (any && !changed_.empty());
}

FolderWatch::Changes FolderWatch::wait(const Pace& pace) {
  Changes changes;
  changed_.clear();
  auto until = Clock::now() + pace.patience;
  auto latest = until;
  bool begun = false;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0) break;
    pollfd waiting{fd_, POLLIN, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready < 0) break;  // a signal: the caller knows what to do
    if (ready == 0) continue;
    if (!read_events(changes)) continue;
    if (!begun) latest = Clock::now() + pace.longest;
    begun = true;
    until = std::min(Clock::now() + pace.quiet, latest);
  }
  if (changes.lost) {
    for (const auto& root : roots_) {
      if (!files_.contains(root)) watch_below(root);
    }
  }
  changes.paths = outermost(changed_);
  return changes;
}

}  // namespace tandem
