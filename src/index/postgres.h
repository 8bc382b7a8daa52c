// libpq with RAII handles and Tandem's errors: cannot be reached is kNetwork, a refusal by the
// server kInput with its words, a full disk there kIo. One thread at a time per connection. What
// the location leaves out libpq takes from where its other programs do (PGPASSWORD, ~/.pgpass).
#pragma once

#include <cstdint>
#include <libpq-fe.h>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace tandem {

class PgResult {
 public:
  explicit PgResult(PGresult* result) : result_(result) {}
  int rows() const { return PQntuples(result_.get()); }
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) == 1; }
  std::string_view bytes(int row, int column) const;  // valid while the result is
  std::string text(int row, int column) const { return std::string(bytes(row, column)); }
  std::int64_t integer(int row, int column) const;  // of a text result
  double number(int row, int column) const;
  std::size_t affected() const;  // rows that an INSERT or DELETE touched
  PGresult* get() const { return result_.get(); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

// A value for $1, $2, …: text, or bytes in the type's binary format.
struct PgValue {
  std::string bytes;
  bool binary = false;
};

class PgConnection {
 public:
  // parameters: libpq's keywords (host, port, dbname, user, sslmode …).
  PgConnection(const std::map<std::string, std::string>& parameters, const std::string& shown);

  void execute(const std::string& sql);  // any number of statements without values
  PgResult query(const std::string& sql, std::span<const PgValue> values,
                 bool binary_result = false);
  PgResult query(const std::string& sql) { return query(sql, {}); }
  void copy_in(const std::string& sql, std::string_view data);
  // Whether the server can no longer be spoken to over this connection.
  bool broken() const { return PQstatus(connection_.get()) != CONNECTION_OK; }

  int ef_search = 0;  // of the session, so that it is only set when it changes

 private:
  PgResult checked(PGresult* result);
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  std::string shown_;
  std::unique_ptr<PGconn, Finish> connection_;
};

// Begins at construction; rolls back unless committed.
class PgTransaction {
 public:
  explicit PgTransaction(PgConnection& connection) : connection_(connection) {
    connection_.execute("BEGIN");
  }
  ~PgTransaction();
  PgTransaction(const PgTransaction&) = delete;
  PgTransaction& operator=(const PgTransaction&) = delete;
  void commit() {
    connection_.execute("COMMIT");
    done_ = true;
  }

 private:
  PgConnection& connection_;
  bool done_ = false;
};

// Connections to one database, made when they are needed. Safe to share between threads.
class PgPool {
 public:
  // `setup`: statements that each new connection begins with.
  PgPool(std::map<std::string, std::string> parameters, std::string shown, std::string setup)
      : parameters_(std::move(parameters)), shown_(std::move(shown)), setup_(std::move(setup)) {}

  // Runs `use` with a connection; once more with a new one when the server had gone. So `use` must
  // be the same done twice.
  template <class Use>
  auto with_connection(const Use& use) const {
    for (bool again = false;; again = true) {
      auto connection = take();
      try {
        auto result = use(*connection);
        give(std::move(connection));
        return result;
      } catch (const Error&) {
        const bool broken = connection->broken();
        give(std::move(connection));
        if (!broken || again) throw;
      }
    }
  }

 private:
  std::unique_ptr<PgConnection> take() const;
  void give(std::unique_ptr<PgConnection> connection) const;  // a broken one: lets go of all

  std::map<std::string, std::string> parameters_;
  std::string shown_;
  std::string setup_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<PgConnection>> idle_;
};

}  // namespace tandem
