// Reading what a collection holds, other than by search.
#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "core/rng.h"
#include "core/tensor.h"
#include "index/collection_rep.h"
#include "index/where.h"

namespace tandem {
namespace {

constexpr const char* kItemColumns =
    "id, uri, sha256, size_bytes, mtime_ns, width, height, caption, metadata, kind";

Item item_of(const Statement& row) {
  Item item;
  item.id = row.integer(0);
  item.uri = row.text(1);
  item.sha256 = row.text(2);
  item.size_bytes = static_cast<std::uint64_t>(row.integer(3));
  item.mtime_ns = row.integer(4);
  item.width = static_cast<int>(row.integer(5));
  item.height = static_cast<int>(row.integer(6));
  item.caption = row.text(7);
  item.metadata_json = row.text(8);
  item.kind = row.text(9) == kind_name(ItemKind::kText) ? ItemKind::kText : ItemKind::kPicture;
  return item;
}

std::optional<Item> find(CollectionRep& rep, const char* condition, const std::string& text) {
  const auto reader = rep.readers.lease();
  Statement select(*reader,
                   fmt::format("SELECT {} FROM items WHERE {} LIMIT 1", kItemColumns, condition));
  select.bind(1, text);
  if (!select.step()) return std::nullopt;
  return item_of(select);
}

}  // namespace

StoreMeta Collection::meta() const { return rep_->meta(); }

std::string Collection::describe() const { return "collection " + rep_->dir.string(); }

std::size_t Collection::size() const {
  return static_cast<std::size_t>(meta_integer(*rep_->readers.lease(), "count"));
}

void Collection::each_known(const std::function<void(const KnownItem&)>& row) const {
  const auto reader = rep_->readers.lease();
  Statement select(*reader,
                   "SELECT id, uri, sha256, size_bytes, mtime_ns, caption, metadata FROM items");
  KnownItem known;
  while (select.step()) {
    known.id = select.integer(0);
    known.uri = select.text(1);
    known.sha256 = select.text(2);
    known.size_bytes = static_cast<std::uint64_t>(select.integer(3));
    known.mtime_ns = select.integer(4);
    known.caption = select.text(5);
    known.metadata_json = select.text(6);
    row(known);
  }
}

std::vector<Item> Collection::items(std::span<const std::int64_t> ids) const {
  const auto reader = rep_->readers.lease();
  Transaction transaction(*reader, Transaction::Kind::kRead);
  Statement select(*reader, fmt::format("SELECT {} FROM items WHERE id = ?", kItemColumns));
  std::vector<Item> found;
  for (const std::int64_t id : ids) {
    select.reset();
    if (select.bind(1, id).step()) found.push_back(item_of(select));
  }
  return found;
}

Matrix Collection::vectors(std::span<const std::int64_t> ids) const {
  const StoreMeta meta = rep_->meta();
  const auto width = static_cast<std::size_t>(meta.width);
  const auto reader = rep_->readers.lease();
  Transaction transaction(*reader, Transaction::Kind::kRead);
  read_state(*reader, meta);
  Statement select(*reader, "SELECT vector, checksum FROM vectors WHERE id = ?");
  Matrix vectors(ids.size(), width);
  std::vector<std::uint16_t> halves(width);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    select.reset();
    if (!select.bind(1, ids[i]).step())
      throw Error(Kind::kNotFound, fmt::format("{}: no item {}.", rep_->dir.string(), ids[i]));
    copy_vector(*reader, ids[i], select.blob(0), select.integer(1), halves);
    std::transform(halves.begin(), halves.end(), vectors.row(i).begin(), half_to_float);
  }
  return vectors;
}

std::vector<std::int64_t> Collection::list(const std::optional<ItemFilter>& filter,
                                           std::size_t offset, std::size_t limit) const {
  return newest_ids(*rep_->readers.lease(), filter, offset, limit);
}

// One from each of `count` equal stretches of the ids, at a random place in it, since neighbours
// are often alike. Removed ids leave gaps, whose stretches give nothing; where those are many, it
// goes by rank.
std::vector<std::int64_t> Collection::sample(std::size_t count) const {
  const auto reader = rep_->readers.lease();
  Transaction transaction(*reader, Transaction::Kind::kRead);
  const auto size = static_cast<std::size_t>(meta_integer(*reader, "count"));
  std::vector<std::int64_t> ids;
  Rng rng(size);
  if (count < size) {
    const std::int64_t first = reader->integer("SELECT min(id) FROM items");
    const auto length =
        static_cast<double>(reader->integer("SELECT max(id) FROM items") - first + 1);
    Statement next(*reader, "SELECT id FROM items WHERE id >= ? ORDER BY id LIMIT 1");
    for (std::size_t i = 0; i < count; ++i) {
      const double place = (static_cast<double>(i) + rng.uniform()) / static_cast<double>(count);
      next.reset();
      if (!next.bind(1, first + static_cast<std::int64_t>(place * length)).step()) continue;
      if (ids.empty() || ids.back() != next.integer(0)) ids.push_back(next.integer(0));
    }
    constexpr double kEnough = 0.9;
    if (static_cast<double>(ids.size()) >= kEnough * static_cast<double>(count)) return ids;
    ids.clear();
  }
  std::vector<std::int64_t> all;
  Statement select(*reader, "SELECT id FROM items ORDER BY id");
  while (select.step()) all.push_back(select.integer(0));
  if (count >= all.size()) return all;
  for (std::size_t i = 0; i < count; ++i) {
    const double place = (static_cast<double>(i) + rng.uniform()) / static_cast<double>(count);
    ids.push_back(all[static_cast<std::size_t>(place * static_cast<double>(all.size()))]);
  }
  return ids;
}

std::optional<std::string> Collection::note(const std::string& name) const {
  return meta_text(*rep_->readers.lease(), note_key(name));
}

std::optional<Item> Collection::find_uri(const std::string& uri) const {
  return find(*rep_, "uri = ?", uri);
}

std::optional<Item> Collection::find_content(const std::string& sha256) const {
  return find(*rep_, "substr(sha256, 1, 8) = substr(?1, 1, 8) AND sha256 = ?1", sha256);
}

}  // namespace tandem
