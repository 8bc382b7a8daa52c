#include "index/sqlite.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>

#include "core/error.h"

namespace tandem {
namespace {

constexpr int kBusyTimeoutMs = 10'000;

Kind kind_of(int code) {
  switch (code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
      return Kind::kCorrupt;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
      return Kind::kInternal;
    default:
      return Kind::kIo;
  }
}

[[noreturn]] void throw_sqlite(sqlite3* handle, int code, const std::string& name) {
  const Kind kind = kind_of(code);
  const char* text = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  if (kind == Kind::kCorrupt) {
    throw Error(kind, fmt::format("{}: is damaged or not a collection ({}). Index into a new one.",
                                  name, text));
  }
  if ((code & 0xFF) == SQLITE_FULL)
    throw Error(kind, name + ": the disk is full. Free some space and run it again.");
  const int system = handle != nullptr ? sqlite3_system_errno(handle) : 0;
  if (kind == Kind::kIo && system != 0)
    throw Error(kind, fmt::format("{}: {} ({}).", name, text, std::strerror(system)));
  throw Error(kind, fmt::format("{}: {}.", name, text));
}

int open_handle(const std::string& uri, int flags, sqlite3** handle) {
  const int code =
      sqlite3_open_v2(uri.c_str(), handle, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK) return code;
  sqlite3_busy_timeout(*handle, kBusyTimeoutMs);
  // The first access is what finds out about WAL files that cannot be made, and about files of
  // another kind.
  return sqlite3_exec(*handle, "PRAGMA schema_version", nullptr, nullptr, nullptr);
}

// "file:" and the path with the characters that mean something in a URI escaped.
std::string uri_of(const std::filesystem::path& path) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(path).string()) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  return uri;
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& dir, Kind kind) {
  const auto path = dir / "write.lock";
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0) throw_errno("cannot open", path.string());
  held_ = ::flock(fd_, (kind == Kind::kAlone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0;
  if (held_ || errno == EWOULDBLOCK) return;
  const int failure = errno;
  ::close(fd_);
  errno = failure;
  throw_errno("cannot lock", path.string());
}

FolderLock::~FolderLock() { ::close(fd_); }

Database::Database(const std::filesystem::path& path, Mode mode) : name_(path.string()) {
  const int flags =
      mode == Mode::kWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  sqlite3* handle = nullptr;
  int code = open_handle(uri_of(path), flags, &handle);
  handle_.reset(handle);
  const int kind = code & 0xFF;
  const bool no_room = kind == SQLITE_CANTOPEN || kind == SQLITE_READONLY || kind == SQLITE_FULL ||
                       kind == SQLITE_IOERR;
  if (code != SQLITE_OK && !(no_room && mode == Mode::kRead && open_as_it_is(path)))
    throw_sqlite(handle_.get(), code, name_);
  // The file may come from anywhere: what its schema says is not to be trusted.
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  execute("PRAGMA cell_size_check=ON");
  execute("PRAGMA cache_size=-16384");  // 16 MiB: the inner pages of a large collection
  if (mode == Mode::kWrite) execute("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON");
}

bool Database::open_as_it_is(const std::filesystem::path& path) {
  const auto folder = path.parent_path();
  std::error_code none;
  if (!std::filesystem::exists(path, none)) return false;
  if (::access(folder.c_str(), W_OK) == 0) {
    // Writers are kept out before the look at what they left.
    auto lock = std::make_unique<FolderLock>(folder, FolderLock::Kind::kShared);
    if (!lock->held()) return false;
    lock_ = std::move(lock);
  }
  // That would overlook what only the WAL holds.
  if (const auto left = std::filesystem::file_size(path.string() + "-wal", none);
      !none && left > 0) {
    throw Error(Kind::kIo, name_ +
                               ": has unfinished writes beside it. Open it once where its "
                               "folder can be written and has room.");
  }
  sqlite3* handle = nullptr;
  const int code = open_handle(uri_of(path) + "?immutable=1", SQLITE_OPEN_READONLY, &handle);
  handle_.reset(handle);
  if (code != SQLITE_OK) throw_sqlite(handle, code, name_);
  return true;
}

void Database::execute(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

std::int64_t Database::integer(const char* sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.integer(0) : 0;
}

void Database::fail() const {
  throw_sqlite(handle_.get(), sqlite3_extended_errcode(handle_.get()), name_);
}

Statement::Statement(Database& database, std::string_view sql) : database_(&database) {
  sqlite3_stmt* statement = nullptr;
  check(sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()), &statement,
                           nullptr));
  handle_.reset(statement);
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  check(sqlite3_bind_int64(handle_.get(), parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, double value) {
  check(sqlite3_bind_double(handle_.get(), parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  check(sqlite3_bind_text64(handle_.get(), parameter, text.data() != nullptr ? text.data() : "",
                            text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind(int parameter, std::span<const std::byte> blob) {
  check(sqlite3_bind_blob64(handle_.get(), parameter, blob.data(), blob.size(), SQLITE_TRANSIENT));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_->fail();
  return false;
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() { sqlite3_reset(handle_.get()); }

std::string Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  if (text == nullptr) return "";
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

std::span<const std::byte> Statement::blob(int column) const {
  const void* data = sqlite3_column_blob(handle_.get(), column);
  return {static_cast<const std::byte*>(data),
          static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

void Statement::check(int code) const {
  if (code != SQLITE_OK) database_->fail();
}

}  // namespace tandem
