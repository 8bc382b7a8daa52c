#include "index/collection_rep.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

#include "core/error.h"
#include "core/tensor.h"

namespace tandem {

namespace fs = std::filesystem;

Readers::Lease Readers::lease() {
  std::unique_ptr<Database> database;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      database = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (database == nullptr) database = std::make_unique<Database>(file_, Database::Mode::kRead);
  return {*this, std::move(database)};
}

fs::path graph_path(const CollectionRep& rep) { return rep.dir / "vectors.usearch"; }

std::string note_key(const std::string& name) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  if (name.empty() || !std::all_of(name.begin(), name.end(), fits))
    throw Error(Kind::kInternal, "a note named \"" + name + "\"");
  return "note." + name;
}

Database& writable(CollectionRep& rep) {
  if (rep.writer == nullptr)
    throw Error(Kind::kInternal, rep.dir.string() + ": was opened for reading");
  return *rep.writer;
}

void copy_vector(const Database& reader, std::int64_t id, std::span<const std::byte> bytes,
                 std::int64_t checksum, std::span<std::uint16_t> into) {
  if (bytes.size() != into.size_bytes() || checksum != vector_checksum(id, bytes)) {
    throw Error(Kind::kCorrupt,
                fmt::format("{}: the vector of item {} is damaged. Index into a new collection.",
                            reader.name(), id));
  }
  std::memcpy(into.data(), bytes.data(), bytes.size());
}

std::vector<std::uint16_t> to_halves(std::span<const float> row, const std::string& whose) {
  std::vector<std::uint16_t> halves(row.size());
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (!std::isfinite(row[i]))
      throw Error(Kind::kInput, whose + ": its vector holds NaN or infinity.");
    halves[i] = float_to_half(row[i]);
  }
  return halves;
}

namespace {

// Which vectors a snapshot consists of: (id, revision), by id.
std::vector<std::pair<std::int64_t, std::int64_t>> contents(Database& reader, std::int64_t after) {
  std::vector<std::pair<std::int64_t, std::int64_t>> found;
  Statement select(reader,
                   "SELECT id, revision FROM vectors INDEXED BY vectors_by_revision "
                   "WHERE revision > ?");
  select.bind(1, after);
  while (select.step()) found.emplace_back(select.integer(0), select.integer(1));
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::shared_ptr<const Snapshot> read_snapshot(Database& reader, std::int64_t revision,
                                              std::int64_t after, std::size_t width,
                                              const Snapshot* before) {
  auto fresh = std::make_shared<Snapshot>();
  fresh->revision = revision;
  fresh->after = after;
  const auto found = contents(reader, after);
  fresh->ids.reserve(found.size());
  fresh->revisions.reserve(found.size());
  fresh->rows.resize(found.size() * width);
  const std::span rows(fresh->rows);
  // One of these is used: the rows as they lie, or, where most are known, each by itself.
  const bool all_anew = before == nullptr && after < 0;
  Statement in_order(reader, "SELECT id, vector, checksum FROM vectors ORDER BY id");
  Statement single(reader, "SELECT id, vector, checksum FROM vectors WHERE id = ?");
  std::size_t at = 0;  // in `before`
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto [id, written] = found[i];
    fresh->ids.push_back(id);
    fresh->revisions.push_back(written);
    const auto row = rows.subspan(i * width, width);
    while (before != nullptr && at < before->ids.size() && before->ids[at] < id) ++at;
    if (before != nullptr && at < before->ids.size() && before->ids[at] == id &&
        before->revisions[at] == written) {
      std::memcpy(row.data(), before->rows.data() + at * width, row.size_bytes());
      continue;
    }
    Statement& select = all_anew ? in_order : single;
    if (!all_anew) {
      select.reset();
      select.bind(1, id);
    }
    if (!select.step() || select.integer(0) != id)
      throw Error(Kind::kCorrupt, reader.name() + ": its index of vectors is damaged.");
    copy_vector(reader, id, select.blob(1), select.integer(2), row);
  }
  return fresh;
}

}  // namespace tandem
