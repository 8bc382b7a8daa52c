// What must be done to bring a store in line with the files that were found: one pass over what it
// knows, no reading of pictures.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cli/captions.h"
#include "core/sha256.h"
#include "data/folder.h"
#include "index/store.h"

namespace tandem::cli {

// One file of which something is to be done.
struct Task {
  std::size_t file = 0;  // of those found
  ItemTexts texts;
  std::int64_t id = 0;  // its row, if there is one; 0: none
};

class IndexPlan {
 public:
  // files: found, and what is said about them. roots: folders given; rows below them whose file is
  // not among `files` are vanished. Folders in `unreadable` keep their rows.
  struct Given {
    const std::vector<FoundFile>& files;
    const std::vector<std::string>& roots;
    const std::vector<std::string>& unreadable;
  };
  // broken(path, error): a file beside a picture cannot be read; the picture goes without it.
  using Broken = std::function<void(const std::string&, const Error&)>;
  IndexPlan(const Store& store, const Given& given, CaptionSources& captions, const Broken& broken);

  const std::vector<Task>& tasks() const { return tasks_; }  // in the files' order
  std::size_t unchanged() const { return unchanged_; }
  const std::vector<std::int64_t>& vanished() const { return vanished_; }  // ids, ascending

  // Rows with this content, ids. Safe to call from several threads.
  std::vector<std::int64_t> with_content(const std::string& sha256) const;

 private:
  struct Content {
    Sha256 sha256;
    std::int64_t id;
  };
  void see(const KnownItem& row, const Given& given, const CaptionSources& captions);

  std::unordered_map<std::string_view, std::size_t> file_of_;
  std::vector<ItemTexts> texts_;  // a file each
  std::vector<std::int64_t> row_of_;
  std::vector<bool> same_;
  std::vector<Content> contents_;  // sorted by hash
  std::vector<Task> tasks_;
  std::vector<std::int64_t> vanished_;
  std::size_t unchanged_ = 0;
};

// Whether `path` is one of `folders` or lies below one.
bool is_below(std::string_view path, const std::vector<std::string>& folders);

}  // namespace tandem::cli
