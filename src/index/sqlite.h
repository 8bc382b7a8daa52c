// SQLite with RAII handles and Tandem's errors. A damaged or foreign file is kCorrupt, a full disk
// or a lock kIo. Not thread-safe: one thread at a time per database.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <sqlite3.h>
#include <string>
#include <string_view>

namespace tandem {

// An advisory lock on DIR/write.lock: writers hold it alone. Given up when the process ends,
// however it ends.
class FolderLock {
 public:
  enum class Kind { kShared, kAlone };
  // Throws kIo. Not held where others hold it otherwise.
  FolderLock(const std::filesystem::path& dir, Kind kind);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  bool held() const { return held_; }

 private:
  int fd_ = -1;
  bool held_ = false;
};

class Database {
 public:
  enum class Mode { kRead, kWrite };  // kWrite creates the file

  // Reading needs a little room beside the file, for the memory that readers and writers share. On
  // a medium that has none (full or read-only) the file is read as it is; where a writer could come
  // meanwhile, it is kept out: such a database should not live long.
  Database(const std::filesystem::path& path, Mode mode);

  void execute(const char* sql);          // statements without parameters or results
  std::int64_t integer(const char* sql);  // the first column of the first row; 0 when there is none
  sqlite3* handle() const { return handle_.get(); }
  const std::string& name() const { return name_; }
  bool keeps_writers_out() const { return lock_ != nullptr; }
  [[noreturn]] void fail() const;  // throws what the last call ran into

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  bool open_as_it_is(const std::filesystem::path& path);
  std::string name_;
  std::unique_ptr<FolderLock> lock_;
  std::unique_ptr<sqlite3, Close> handle_;
};

// A prepared statement. Borrows the database. Parameters count from 1, columns from 0.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);

  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, double value);
  Statement& bind(int parameter, std::string_view text);            // copied
  Statement& bind(int parameter, std::span<const std::byte> blob);  // copied
  bool step();                                                      // true: a row is there
  void run();  // steps to the end and resets, for statements without results
  void reset();
  sqlite3_stmt* handle() const { return handle_.get(); }

  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  std::string text(int column) const;
  std::span<const std::byte> blob(int column) const;  // valid until the next step

 private:
  void check(int code) const;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

// Begins at construction; rolls back unless committed.
class Transaction {
 public:
  enum class Kind { kRead, kWrite };

  Transaction(Database& database, Kind kind) : database_(database) {
    database_.execute(kind == Kind::kWrite ? "BEGIN IMMEDIATE" : "BEGIN");
  }
  ~Transaction() {
    if (!done_) sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    database_.execute("COMMIT");
    done_ = true;
  }

 private:
  Database& database_;
  bool done_ = false;
};

}  // namespace tandem
