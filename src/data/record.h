// Records in: pictures with captions, from folders and WebDataset shards. Readers stream; a bad
// record is counted with its reason, never fatal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

struct Record {
  std::string key;                    // WebDataset key or the file's path as given
  std::vector<std::byte> image;       // encoded bytes
  std::vector<std::string> captions;  // may be empty (folders of pictures)
  std::int64_t group = -1;  // records of equal group are positives of each other; -1: only itself
  std::string phrase;       // the group's text, when the source states one
  bool mono = false;  // a drawing of one colour with alpha: may be recoloured ("mono" in its JSON)
};

// Why records were left out: reason -> count, plus the first few examples of each.
class SkipLog {
 public:
  void add(std::string_view reason, std::string_view example);
  std::uint64_t total() const;
  // "skipped 12 of 50,000 (9 unreadable, 3 too small)"; empty when nothing was skipped.
  std::string summary(std::uint64_t seen) const;
  struct Entry {
    std::uint64_t count = 0;
    std::vector<std::string> examples;
  };
  const std::map<std::string, Entry, std::less<>>& reasons() const { return reasons_; }

 private:
  std::map<std::string, Entry, std::less<>> reasons_;
};

}  // namespace tandem
