#include "index/store.h"

#include <unordered_map>
#include <unordered_set>

namespace tandem {

void Store::update(std::span<const Item> changed) {
  std::vector<std::int64_t> ids;
  std::unordered_map<std::int64_t, const Item*> by_id;
  for (const auto& item : changed) {
    ids.push_back(item.id);
    by_id[item.id] = &item;
  }
  const auto old = items(ids);
  std::vector<Item> fresh;
  std::vector<std::int64_t> existing;
  std::unordered_set<std::string> uris;
  for (const auto& item : old) {
    fresh.push_back(*by_id.at(item.id));
    fresh.back().kind = item.kind;
    existing.push_back(item.id);
    uris.insert(fresh.back().uri);
  }
  if (existing.empty()) return;
  upsert(fresh, vectors(existing));
  // What another item has been renamed to is that item now.
  std::vector<std::int64_t> renamed;
  for (const auto& item : old) {
    if (!uris.contains(item.uri)) renamed.push_back(item.id);
  }
  if (!renamed.empty()) remove(renamed);
}

}  // namespace tandem
