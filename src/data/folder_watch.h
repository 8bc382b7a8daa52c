// Tells when pictures below folders change (Linux inotify). One thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace tandem {

class FolderWatch {
 public:
  // roots: folders, watched with all that is below them, and files. Names that begin with a dot are
  // left out, as scan_pictures does. Throws kIo: too many folders for this system's limit.
  explicit FolderWatch(const std::vector<std::string>& roots);
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  struct Changes {
    // Folders in which something happened and files given that did; whether they still exist is for
    // the caller to see. None lies below another.
    std::vector<std::string> paths;
    bool lost = false;  // more happened than the system keeps: everything must be looked at again
    std::vector<std::string> unmounted;  // roots whose disk went away; not watched any more
    bool any() const { return !paths.empty() || lost || !unmounted.empty(); }
  };
  // Waits for the first change, then until nothing has changed for `quiet`, but no longer than
  // `longest`. Returns early, perhaps with nothing, after `patience` without a change or when a
  // signal came.
  struct Pace {
    std::chrono::milliseconds patience{10'000};
    std::chrono::milliseconds quiet{500};
    std::chrono::milliseconds longest{10'000};
  };
  Changes wait(const Pace& pace);

  std::size_t folders() const { return path_of_.size(); }

 private:
  void watch(const std::string& folder);
  void watch_below(const std::string& folder);
  bool read_events(Changes& changes);
  void note(const std::string& folder, const std::string& name, unsigned mask, Changes& changes);

  int fd_ = -1;
  std::vector<std::string> roots_;
  std::set<std::string> files_;  // given by themselves
  std::unordered_map<int, std::string> path_of_;
  std::set<std::string> changed_;
};

}  // namespace tandem
