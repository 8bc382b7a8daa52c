#include "index/collection_rep.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/error.h"

namespace tandem {

namespace fs = std::filesystem;

WriterLock::WriterLock(const fs::path& dir) {
  const fs::path path = dir / "write.lock";
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0) throw_errno("cannot open", path.string());
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
  const bool taken = errno == EWOULDBLOCK;
  ::close(fd_);
  if (!taken) throw_errno("cannot lock", path.string());
  throw Error(
      Kind::kIo,
      dir.string() + ": another process is writing to this collection. Wait until it is done.");
}

WriterLock::~WriterLock() { ::close(fd_); }

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

void copy_vector(const CollectionRep& rep, std::int64_t id, std::span<const std::byte> bytes,
                 std::int64_t checksum, std::uint16_t* into) {
  const std::size_t expected = static_cast<std::size_t>(rep.meta.width) * sizeof(std::uint16_t);
  if (bytes.size() != expected || checksum != vector_checksum(id, bytes)) {
    throw Error(Kind::kCorrupt,
                fmt::format("{}: the vector of item {} is damaged. Index into a new collection.",
                            rep.dir.string(), id));
  }
  std::memcpy(into, bytes.data(), bytes.size());
}

std::shared_ptr<const Snapshot> read_snapshot(Database& reader, const CollectionRep& rep,
                                              std::int64_t after) {
  auto fresh = std::make_shared<Snapshot>();
  fresh->revision = last_revision(reader);
  fresh->after = after;
  const auto width = static_cast<std::size_t>(rep.meta.width);
  const auto read = [&](Statement& select) {
    while (select.step()) {
      const std::int64_t id = select.integer(0);
      fresh->ids.push_back(id);
      const std::size_t used = fresh->rows.size();
      fresh->rows.resize(used + width);
      copy_vector(rep, id, select.blob(1), select.integer(2), fresh->rows.data() + used);
    }
  };
  if (after < 0) {
    const auto count = static_cast<std::size_t>(reader.integer("SELECT count(*) FROM vectors"));
    fresh->ids.reserve(count);
    fresh->rows.reserve(count * width);
    Statement select(reader, "SELECT id, vector, checksum FROM vectors ORDER BY id");
    read(select);
  } else {
    Statement select(reader,
                     "SELECT id, vector, checksum FROM vectors WHERE revision > ? ORDER BY id");
    select.bind(1, after);
    read(select);
  }
  return fresh;
}

}  // namespace tandem
