#include "cli/index_plan.h"

#include <algorithm>

namespace tandem::cli {
namespace {

// 64 hex digits to bytes; nothing for anything else (rows imported without a hash).
std::optional<Sha256> digest_of(const std::string& text) {
  Sha256 digest{};
  if (text.size() != 2 * digest.size()) return {};
  const auto nibble = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = nibble(text[2 * i]);
    const int low = nibble(text[2 * i + 1]);
    if (high < 0 || low < 0) return {};
    digest[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return digest;
}

}  // namespace

IndexPlan::IndexPlan(const Store& store, const Given& given, CaptionSources& captions,
                     const Broken& broken) {
  const auto& files = given.files;
  texts_.resize(files.size());
  row_of_.assign(files.size(), 0);
  same_.assign(files.size(), false);
  file_of_.reserve(files.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    // A picture given twice counts once.
    if (!file_of_.emplace(files[i].path.native(), i).second) continue;
    try {
      texts_[i] = captions.of(files[i]);
    } catch (const Error& e) {
      broken(files[i].path.string(), e);
    }
  }
  store.each_known([&](const KnownItem& row) { see(row, given, captions); });
  std::sort(contents_.begin(), contents_.end(), [](const Content& a, const Content& b) {
    return a.sha256 != b.sha256 ? a.sha256 < b.sha256 : a.id < b.id;
  });
  std::sort(vanished_.begin(), vanished_.end());
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (file_of_.at(files[i].path.native()) != i) continue;
    if (same_[i]) {
      ++unchanged_;
    } else {
      tasks_.push_back({i, std::move(texts_[i]), row_of_[i]});
    }
  }
  texts_.clear();
}

void IndexPlan::see(const KnownItem& row, const Given& given, const CaptionSources& captions) {
  if (const auto digest = digest_of(row.sha256)) contents_.push_back({*digest, row.id});
  const auto found = file_of_.find(row.uri);
  if (found != file_of_.end()) {
    const auto i = found->second;
    const auto& file = given.files[i];
    row_of_[i] = row.id;
    same_[i] = row.size_bytes == file.size_bytes && row.mtime_ns == file.mtime_ns &&
               captions.agrees(row, texts_[i]);
  } else if (is_below(row.uri, given.roots) && !is_below(row.uri, given.unreadable)) {
    vanished_.push_back(row.id);
  }
}

std::vector<std::int64_t> IndexPlan::with_content(const std::string& sha256) const {
  std::vector<std::int64_t> ids;
  const auto digest = digest_of(sha256);
  if (!digest) return ids;
  const auto first = std::lower_bound(
      contents_.begin(), contents_.end(), *digest,
      [](const Content& content, const Sha256& wanted) { return content.sha256 < wanted; });
  for (auto it = first; it != contents_.end() && it->sha256 == *digest; ++it) ids.push_back(it->id);
  return ids;
}

bool is_below(std::string_view path, const std::vector<std::string>& folders) {
  return std::any_of(folders.begin(), folders.end(), [&](const std::string& folder) {
    if (folder == ".") return !path.starts_with('/') && !path.starts_with("..");
    if (folder == "/") return path.starts_with('/');
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
  });
}

}  // namespace tandem::cli
