// Words about pictures and where they come from: a file that lists them (--captions), files beside
// the pictures (beach.txt, beach.json), and what the camera wrote (EXIF). The first of these that
// has a caption gives it; metadata are put together, earlier ones going before.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/json.h"
#include "data/folder.h"
#include "index/store.h"
#include "preprocess/picture_facts.h"

namespace tandem::cli {

// What is said about one picture outside of it.
struct ItemTexts {
  std::optional<std::string> caption;
  const char* from = "";  // "captions", "sidecar"
  json::object metadata;
};

class CaptionSources {
 public:
  struct Options {
    std::string captions;  // a file; empty: none
    bool side_files = true;
  };
  // `captions`: CSV or TSV with a line of column names, JSON lines, Parquet (table_rows.h), or
  // lines of path, tab, caption. Paths in it are relative to its folder. Of the columns path, file,
  // image, image_path, file_name is the path; caption, text, title the caption; others become
  // metadata. Throws kNotFound, kIo, kInput naming the line.
  explicit CaptionSources(const Options& options);

  // Throws kInput or kCorrupt for a file beside it that is broken, naming it.
  ItemTexts of(const FoundFile& file);
  // Whether a row that is stored says the same; otherwise its file must be looked at again.
  bool agrees(const KnownItem& stored, const ItemTexts& texts) const;
  // Writes caption and metadata of `item`, which has the caption that was known until now, if any.
  // before: its metadata until now ("{}": none), of which what people or programs have added stays.
  // Where the caption comes from is kept as metadata.caption_from.
  void apply(const ItemTexts& texts, const PictureFacts& facts, const std::string& before,
             Item& item) const;
  // Pictures that --captions lists and of() was never asked for.
  std::size_t unused() const { return by_path_.size() - used_; }

 private:
  struct Listed {
    ItemTexts texts;
    bool used = false;
  };
  void read_lines(const std::filesystem::path& file);
  void read_table(const std::filesystem::path& file);
  void list(const std::filesystem::path& path, ItemTexts texts);

  Options options_;
  std::unordered_map<std::string, Listed> by_path_;  // absolute, normal paths
  std::size_t used_ = 0;
};

}  // namespace tandem::cli
