#include "data/webdataset.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <glob.h>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/json.h"
#include "core/utf8.h"
#include "data/tar.h"

namespace tandem {
namespace {

using Sample = ShardIndex::Sample;
using Member = ShardIndex::Member;

constexpr std::size_t kMaxShards = 1'000'000;

// "a/b.tar.x/key.seg.png" -> {"a/b.tar.x/key", "seg.png"}: the extension begins at the first dot of
// the last part, as in the webdataset library. Nothing for names without both.
std::optional<std::pair<std::string_view, std::string_view>> split_name(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const std::size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
  const std::size_t dot = name.find('.', begin);
  if (dot == std::string_view::npos || dot == begin) return std::nullopt;
  return std::pair(name.substr(0, dot), name.substr(dot + 1));
}

// Which member of a sample an extension stands for; null for those that are not read.
Member Sample::* member_for(std::string_view extension) {
  std::string lower(extension);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  constexpr std::array<std::string_view, 5> kPictures = {"png", "jpg", "jpeg", "webp", "gif"};
  if (std::find(kPictures.begin(), kPictures.end(), lower) != kPictures.end())
    return &Sample::image;
  if (lower == "txt") return &Sample::text;
  if (lower == "json") return &Sample::json;
  return nullptr;
}

// Gathers adjacent members of one key into samples and decides which are whole.
class SampleGatherer {
 public:
  explicit SampleGatherer(ShardIndex& index) : index_(index) {}

  void add(const TarMember& member) {
    const auto name = member.regular ? split_name(member.name) : std::nullopt;
    if (!name) return;
    if (!open_ || open_->key != name->first) {
      close();
      open_.emplace();
      open_->key = name->first;
    }
    Member Sample::* which = member_for(name->second);
    if (which == nullptr) return;
    if (((*open_).*which).offset != 0) {
      index_.skipped.add("with a member given twice", member.name);
      return;
    }
    (*open_).*which = {member.offset, member.size};
  }

  // The open sample is over.
  void close() {
    if (!open_) return;
    const bool whole = !beside_damage_ || has_all_members(*open_);
    const bool damage = std::exchange(beside_damage_, false);
    if (open_->image.size == 0) {
      // Beside damage that is already counted, a sample without picture is a part of it.
      if (!damage) index_.skipped.add("without a picture", open_->key);
    } else if (whole) {
      if (!first_) first_ = *open_;
      index_.samples.push_back(std::move(*open_));
    }
    open_.reset();
  }

  // Bytes were lost here: the samples on both sides count only if nothing of them can be missing.
  void close_at_damage(std::string_view reason, const std::string& shard) {
    if (beside_damage_ && !open_) return;  // the same damage, seen again at the end of the file
    index_.skipped.add(reason, open_ ? shard + ": " + open_->key : shard);
    beside_damage_ = true;
    close();
    beside_damage_ = true;
  }

 private:
  // Compared with the shard's first sample; a first sample needs a picture and a caption.
  bool has_all_members(const Sample& sample) const {
    const auto has = [](const Member& m) { return m.offset != 0; };
    if (!first_) return has(sample.image) && (has(sample.text) || has(sample.json));
    return (has(sample.image) || !has(first_->image)) && (has(sample.text) || !has(first_->text)) &&
           (has(sample.json) || !has(first_->json));
  }

  ShardIndex& index_;
  std::optional<Sample> open_;
  std::optional<Sample> first_;
  bool beside_damage_ = false;
};

std::span<const std::byte> cut(std::span<const std::byte> tar, const Member& member,
                               const std::string& key) {
  if (member.offset > tar.size() || member.size > tar.size() - member.offset) {
    throw Error(Kind::kCorrupt,
                fmt::format("{}: lies outside of its shard. Was the shard changed?", key));
  }
  return tar.subspan(member.offset, member.size);
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void add_caption(Record& record, std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return;
  record.captions.emplace_back(text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin));
}

void add_json(Record& record, std::string_view text) {
  const std::string where = record.key + ".json";
  const json::value parsed = json::parse(text, where);
  const json::Reader fields(parsed, where);
  if (const json::value* list = fields.find("captions")) {
    if (!list->is_array())
      throw Error(Kind::kCorrupt, where + ": captions: expected a list of texts.");
    for (const json::value& caption : list->get_array()) {
      if (!caption.is_string())
        throw Error(Kind::kCorrupt, where + ": captions: expected a list of texts.");
      add_caption(record, {caption.get_string().data(), caption.get_string().size()});
    }
  } else {
    add_caption(record, fields.text("caption", ""));
  }
  record.group = fields.integer("concept", -1);
  record.phrase = fields.text("phrase", "");
  record.mono = fields.boolean("mono", false);
}

// "a{0..2}b{x,y}" -> every combination, from the left.
std::vector<std::string> expand_braces(const std::string& pattern) {
  const std::size_t open = pattern.find('{');
  const std::size_t end = open == std::string::npos ? open : pattern.find('}', open);
  if (end == std::string::npos) return {pattern};
  const std::string head = pattern.substr(0, open);
  const std::string inner = pattern.substr(open + 1, end - open - 1);
  const std::vector<std::string> tails = expand_braces(pattern.substr(end + 1));
  std::vector<std::string> middles;
  const std::size_t dots = inner.find("..");
  if (dots != std::string::npos) {
    const std::string low = inner.substr(0, dots);
    const std::string high = inner.substr(dots + 2);
    std::uint64_t first = 0, last = 0;
    const auto whole = [](const std::string& text, std::uint64_t& number) {
      const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
      return result.ec == std::errc() && result.ptr == text.data() + text.size();
    };
    if (!whole(low, first) || !whole(high, last) || last < first || last - first >= kMaxShards) {
      throw Error(Kind::kInput,
                  fmt::format("{}: {{{}}} is not a range. Expected e.g. {{00000..00012}}.", pattern,
                              inner));
    }
    for (std::uint64_t i = first; i <= last; ++i)
      middles.push_back(fmt::format("{:0{}}", i, low.size()));
  } else {
    for (std::size_t begin = 0; begin <= inner.size();) {
      const std::size_t comma = std::min(inner.find(',', begin), inner.size());
      middles.push_back(inner.substr(begin, comma - begin));
      begin = comma + 1;
    }
  }
  if (middles.size() * tails.size() > kMaxShards)
    throw Error(Kind::kInput, pattern + ": stands for too many files.");
  std::vector<std::string> result;
  for (const std::string& middle : middles) {
    for (const std::string& tail : tails)
      result.push_back(std::string(head).append(middle).append(tail));
  }
  return result;
}

void add_matches(const std::string& pattern, std::vector<std::filesystem::path>& found) {
  if (std::filesystem::exists(pattern)) {  // also names that happen to look like patterns
    found.emplace_back(pattern);
    return;
  }
  glob_t matches{};
  const int code = ::glob(pattern.c_str(), 0, nullptr, &matches);
  for (std::size_t i = 0; code == 0 && i < matches.gl_pathc; ++i)
    found.emplace_back(matches.gl_pathv[i]);
  ::globfree(&matches);
  if (code != 0)
    throw Error(Kind::kNotFound,
                pattern + ": no such shard. Expected tar files, as in train-{00000..00012}.tar.");
}

}  // namespace

ShardIndex index_shard(std::span<const std::byte> tar, const std::string& name) {
  ShardIndex index;
  SampleGatherer gatherer(index);
  TarReader reader(tar);
  while (true) {
    switch (reader.next()) {
      case TarEvent::kMember:
        gatherer.add(reader.member());
        break;
      case TarEvent::kDamaged:
        gatherer.close_at_damage("damaged (" + reader.problem() + ")", name);
        break;
      case TarEvent::kCutShort:
        gatherer.close_at_damage("cut short", name);
        return index;
      case TarEvent::kTrailing:
        gatherer.close();
        index.skipped.add("after the shard's end marker", name);
        return index;
      case TarEvent::kEnd:
        gatherer.close();
        return index;
    }
  }
}

Record read_sample(std::span<const std::byte> tar, const ShardIndex::Sample& sample) {
  Record record;
  record.key = sample.key;
  const auto image = cut(tar, sample.image, sample.key);
  record.image.assign(image.begin(), image.end());
  if (sample.json.size > 0) add_json(record, text_of(cut(tar, sample.json, sample.key)));
  if (record.captions.empty() && sample.text.size > 0) {
    const std::string_view text = text_of(cut(tar, sample.text, sample.key));
    if (!is_utf8(text)) throw Error(Kind::kCorrupt, sample.key + ".txt: is not UTF-8.");
    add_caption(record, text);
  }
  return record;
}

std::vector<std::filesystem::path> expand_shards(const std::vector<std::string>& patterns) {
  std::vector<std::filesystem::path> found;
  for (const std::string& pattern : patterns) {
    if (std::filesystem::exists(pattern)) {
      found.emplace_back(pattern);
      continue;
    }
    for (const std::string& expanded : expand_braces(pattern)) add_matches(expanded, found);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (found.empty())
    throw Error(Kind::kNotFound,
                "no shards given. Expected tar files, as in train-{00000..00012}.tar.");
  return found;
}

}  // namespace tandem
