#include "cli/index_texts.h"

#include <fmt/format.h>
#include <unordered_set>

#include "tandem/error.h"

#include "cli/interrupt.h"
#include "core/files.h"
#include "core/sha256.h"
#include "core/utf8.h"

namespace tandem::cli {
namespace {

constexpr std::size_t kAtATime = 2048;  // as Model::embed_texts sorts them

std::vector<Item> read_items(const std::string& file) {
  const auto text = read_text_file(file, std::size_t{1} << 31);
  std::vector<Item> items;
  std::unordered_set<std::string> seen;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    auto line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    if (!is_utf8(line)) {
      throw Error(Kind::kInput, fmt::format("--texts {}: line {} is not UTF-8.", file, number));
    }
    auto item = text_item(line);
    if (seen.insert(item.uri).second) items.push_back(std::move(item));
  }
  return items;
}

}  // namespace

Item text_item(const std::string& text) {
  Item item;
  item.kind = ItemKind::kText;
  item.sha256 = hex(sha256(std::as_bytes(std::span(text))));
  item.uri = "text:" + item.sha256;
  item.size_bytes = text.size();
  item.caption = text;
  return item;
}

void index_texts(Store& store, LazyModel& model, const std::string& file, IndexCounts& counts,
                 Console& console) {
  auto items = read_items(file);
  if (items.empty())
    throw Error(Kind::kInput, "--texts " + file + " is empty. Expected one text a line.");
  std::unordered_set<std::string> known;
  store.each_known([&](const KnownItem& row) {
    if (row.uri.starts_with("text:")) known.insert(row.uri);
  });
  counts.unchanged +=
      std::erase_if(items, [&](const Item& item) { return known.contains(item.uri); });
  if (items.empty()) return;

  const auto& loaded = model.get();
  const auto progress = console.progress("texts", items.size());
  for (std::size_t begin = 0; begin < items.size() && !interrupted(); begin += kAtATime) {
    const auto some = std::span(items).subspan(begin, std::min(kAtATime, items.size() - begin));
    std::vector<std::string> texts;
    for (const auto& item : some) texts.push_back(item.caption);
    store.upsert(some, loaded.embed_texts(texts));
    counts.added += some.size();
    progress->add(some.size());
  }
  progress->finish();
}

}  // namespace tandem::cli
