#include "cli/captions.h"

#include <array>
#include <fmt/format.h>
#include <sstream>
#include <string_view>

#include "tandem/error.h"

#include "core/files.h"
#include "data/table_rows.h"

namespace tandem::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array kPathColumns = {"path", "file", "image", "image_path", "file_name"};
constexpr std::array kCaptionColumns = {"caption", "text", "title"};
// Beside a picture; larger ones are something else than words about it.
constexpr std::size_t kMostSideBytes = 1 << 16;
// What apply() writes itself.
constexpr std::array kOwnKeys = {"taken",    "camera",    "lens",
                                 "latitude", "longitude", "caption_from"};

std::string key_of(const fs::path& path) { return fs::absolute(path).lexically_normal().string(); }

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

// Takes the first of `names` out of the row, as text.
template <typename Names>
std::optional<std::string> take(json::object& row, const Names& names) {
  for (const char* name : names) {
    const auto found = row.find(name);
    if (found == row.end()) continue;
    const auto& value = found->value();
    if (!value.is_string() && !value.is_number()) continue;
    std::string text = value.is_string() ? std::string(value.as_string()) : json::dump(value);
    row.erase(found);
    return text;
  }
  return {};
}

ItemTexts texts_of(json::object row, const char* from) {
  ItemTexts texts;
  texts.from = from;
  texts.caption = take(row, kCaptionColumns);
  if (texts.caption) texts.caption = trimmed(*texts.caption);
  texts.metadata = std::move(row);
  return texts;
}

// What `texts` lacks comes from `more`.
void add_missing(ItemTexts& texts, ItemTexts more) {
  if (!texts.caption && more.caption) {
    texts.caption = std::move(more.caption);
    texts.from = more.from;
  }
  for (auto& entry : more.metadata) {
    if (!texts.metadata.contains(entry.key()))
      texts.metadata[entry.key()] = std::move(entry.value());
  }
}

ItemTexts read_side_file(const fs::path& file) {
  const auto text = read_text_file(file, kMostSideBytes);
  if (file.extension() == ".txt") {
    ItemTexts texts;
    texts.from = "sidecar";
    texts.caption = trimmed(text);
    return texts;
  }
  auto value = json::parse(text, file.string());
  if (!value.is_object())
    throw Error(Kind::kInput, file.string() + ": expected a JSON object about the picture.");
  return texts_of(std::move(value.as_object()), "sidecar");
}

json::object object_of(const std::string& text) {
  if (text.empty() || text == "{}") return {};
  boost::system::error_code error;
  auto value = boost::json::parse(text, error);
  return !error && value.is_object() ? std::move(value.as_object()) : json::object();
}

}  // namespace

CaptionSources::CaptionSources(const Options& options) : options_(options) {
  if (options_.captions.empty()) return;
  if (table_format(options_.captions)) {
    read_table(options_.captions);
  } else {
    read_lines(options_.captions);
  }
}

void CaptionSources::read_lines(const fs::path& file) {
  std::istringstream lines(read_text_file(file, std::size_t{1} << 31));
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    const auto tab = line.find('\t');
    if (tab == std::string::npos) {
      throw Error(Kind::kInput,
                  fmt::format("--captions {}: line {} has no tab. Expected: path, tab, "
                              "caption; or a .csv, .tsv, .jsonl or .parquet file.",
                              file.string(), number));
    }
    ItemTexts texts;
    texts.from = "captions";
    texts.caption = line.substr(tab + 1);
    list(file.parent_path() / line.substr(0, tab), std::move(texts));
  }
}

void CaptionSources::read_table(const fs::path& file) {
  each_row(file, *table_format(file), [&](json::object row, std::size_t number) {
    const auto path = take(row, kPathColumns);
    if (!path) {
      throw Error(
          Kind::kInput,
          fmt::format("--captions {}: row {} names no picture. Expected a column called {}.",
                      file.string(), number, fmt::join(kPathColumns, ", ")));
    }
    list(file.parent_path() / *path, texts_of(std::move(row), "captions"));
  });
}

void CaptionSources::list(const fs::path& path, ItemTexts texts) {
  by_path_[key_of(path)] = {std::move(texts), false};
}

ItemTexts CaptionSources::of(const FoundFile& file) {
  ItemTexts texts;
  if (!by_path_.empty()) {
    const auto found = by_path_.find(key_of(file.path));
    if (found != by_path_.end()) {
      texts = found->second.texts;
      used_ += found->second.used ? 0 : 1;
      found->second.used = true;
    }
  }
  if (!options_.side_files || file.side_files == 0) return texts;
  unsigned bit = 1;
  for (const auto& kind : kSideFiles) {
    if ((file.side_files & bit) != 0)
      add_missing(texts, read_side_file(side_file(file.path, kind)));
    bit <<= 1;
  }
  return texts;
}

bool CaptionSources::agrees(const KnownItem& stored, const ItemTexts& texts) const {
  if (texts.caption && *texts.caption != stored.caption) return false;
  const bool may_name_source = stored.metadata_json.find("\"caption_from\"") != std::string::npos;
  if (texts.metadata.empty() && !may_name_source) return true;
  const auto metadata = object_of(stored.metadata_json);
  for (const auto& entry : texts.metadata) {
    const auto* known = metadata.if_contains(entry.key());
    if (known == nullptr || json::dump(*known) != json::dump(entry.value())) return false;
  }
  if (texts.caption) return true;
  // Its caption was where none is now. A list that is not given this time says nothing.
  const auto* from = metadata.if_contains("caption_from");
  if (from == nullptr || !from->is_string()) return true;
  const bool side_file_gone = options_.side_files && from->as_string() == "sidecar";
  const bool unlisted = !options_.captions.empty() && from->as_string() == "captions";
  return !side_file_gone && !unlisted;
}

void CaptionSources::apply(const ItemTexts& texts, const PictureFacts& facts,
                           const std::string& before, Item& item) const {
  auto metadata = object_of(before);
  const auto* from = metadata.if_contains("caption_from");
  // A list of captions that is not given this time still holds, and so does what programs wrote.
  const bool listed = from != nullptr && from->is_string() && from->as_string() == "captions";
  const bool keeps_caption = !texts.caption && !item.caption.empty() &&
                             (from == nullptr || (listed && options_.captions.empty()));
  const json::value kept_from = from != nullptr ? *from : json::value();
  for (const char* key : kOwnKeys) metadata.erase(key);
  if (!facts.taken.empty()) metadata["taken"] = facts.taken;
  if (!facts.camera.empty()) metadata["camera"] = facts.camera;
  if (!facts.lens.empty()) metadata["lens"] = facts.lens;
  if (facts.latitude) metadata["latitude"] = *facts.latitude;
  if (facts.longitude) metadata["longitude"] = *facts.longitude;
  for (const auto& entry : texts.metadata) metadata[entry.key()] = entry.value();
  if (texts.caption) {
    item.caption = *texts.caption;
    metadata["caption_from"] = texts.from;
  } else if (keeps_caption) {
    if (!kept_from.is_null()) metadata["caption_from"] = kept_from;
  } else {
    item.caption = facts.description;
    if (!item.caption.empty()) metadata["caption_from"] = "exif";
  }
  item.metadata_json = json::dump(metadata);
}

}  // namespace tandem::cli
