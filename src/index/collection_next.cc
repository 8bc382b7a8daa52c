// Another model's vectors, made while the old ones serve.
#include <fmt/format.h>

#include "core/error.h"
#include "index/collection_rep.h"

namespace tandem {
namespace {

std::optional<StoreMeta> read_next(Database& database) {
  const auto fingerprint = meta_text(database, "next_fingerprint");
  if (!fingerprint) return std::nullopt;
  return StoreMeta{meta_text(database, "next_model_name").value_or(""), *fingerprint,
                   static_cast<int>(meta_integer(database, "next_width"))};
}

StoreMeta begun(Database& database) {
  auto next = read_next(database);
  if (!next)
    throw Error(Kind::kInternal, database.name() + ": no other model's vectors were begun");
  return *std::move(next);
}

constexpr const char* kMissing =
    "FROM items WHERE id > ? AND NOT EXISTS (SELECT 1 FROM next_vectors WHERE id = items.id)";

}  // namespace

void Collection::begin_next(const StoreMeta& next) {
  const std::lock_guard guard(rep_->write_mutex);
  Database& writer = writable(*rep_);
  check_width(writer.name(), next.width);
  if (next.fingerprint == rep_->meta().fingerprint) {
    throw Error(Kind::kInput,
                fmt::format("{}: its vectors are of {} {} already.", rep_->dir.string(),
                            next.model_name, next.fingerprint.substr(0, 12)));
  }
  Transaction transaction(writer, Transaction::Kind::kWrite);
  const auto before = read_next(writer);
  if (before && before->fingerprint == next.fingerprint && before->width == next.width) return;
  begin_next_schema(writer, next);
  transaction.commit();
}

std::optional<StoreMeta> Collection::next() const { return read_next(*rep_->readers.lease()); }

std::vector<std::int64_t> Collection::next_missing(std::size_t count, std::int64_t after) const {
  const auto reader = rep_->readers.lease();
  Statement select(*reader, fmt::format("SELECT id {} ORDER BY id LIMIT ?", kMissing));
  select.bind(1, after).bind(2, static_cast<std::int64_t>(count));
  std::vector<std::int64_t> ids;
  while (select.step()) ids.push_back(select.integer(0));
  return ids;
}

void Collection::put_next(std::span<const std::int64_t> ids, const Matrix& vectors) {
  const std::lock_guard guard(rep_->write_mutex);
  Database& writer = writable(*rep_);
  Transaction transaction(writer, Transaction::Kind::kWrite);
  const StoreMeta next = begun(writer);
  if (vectors.rows != ids.size() || vectors.cols != static_cast<std::size_t>(next.width)) {
    throw Error(Kind::kInternal,
                fmt::format("put_next: {} ids with {} x {} values; the width is {}", ids.size(),
                            vectors.rows, vectors.cols, next.width));
  }
  std::int64_t revision = meta_integer(writer, "next_revision");
  Statement exists(writer, "SELECT 1 FROM items WHERE id = ?");
  Statement insert(writer, "INSERT OR REPLACE INTO next_vectors VALUES(?, ?, ?, ?)");
  for (std::size_t i = 0; i < ids.size(); ++i) {
    exists.reset();
    if (!exists.bind(1, ids[i]).step()) continue;
    const auto halves = to_halves(vectors.row(i), fmt::format("item {}", ids[i]));
    const auto bytes = std::as_bytes(std::span(halves));
    insert.bind(1, ids[i]).bind(2, bytes).bind(3, vector_checksum(ids[i], bytes));
    insert.bind(4, ++revision).run();
  }
  set_meta(writer, "next_revision", revision);
  exists.reset();
  transaction.commit();
}

void Collection::switch_to_next() {
  const std::lock_guard guard(rep_->write_mutex);
  Database& writer = writable(*rep_);
  Transaction transaction(writer, Transaction::Kind::kWrite);
  const StoreMeta next = begun(writer);
  std::int64_t missing = 0;
  {
    Statement count(writer, fmt::format("SELECT count(*) {}", kMissing));
    count.bind(1, std::int64_t{0}).step();
    missing = count.integer(0);
  }
  if (missing != 0) {
    throw Error(Kind::kInput,
                fmt::format("{}: {} items have no vector of {} yet. Go on with them, or remove "
                            "them.",
                            rep_->dir.string(), missing, next.model_name));
  }
  switch_schema(writer);
  transaction.commit();
  rep_->set_meta(next);
  const std::lock_guard lock(rep_->mutex);
  rep_->all = nullptr;
  rep_->recent = nullptr;
  rep_->revisions = nullptr;
}

void Collection::drop_next() {
  const std::lock_guard guard(rep_->write_mutex);
  Database& writer = writable(*rep_);
  Transaction transaction(writer, Transaction::Kind::kWrite);
  drop_next_schema(writer);
  transaction.commit();
}

}  // namespace tandem
