#include "index/postgres.h"

#include <charconv>
#include <fmt/format.h>

namespace tandem {
namespace {

// libpq ends its messages with line ends, and puts hints on lines of their own.
std::string one_line(const char* message) {
  std::string out;
  for (const char* c = message; *c != 0; ++c) {
    const bool space = *c > 0 && *c <= ' ';
    if (!space) out += *c;
    if (space && !out.empty() && out.back() != ' ') out += ' ';
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == '.')) out.pop_back();
  return out;
}

// Source: PostgreSQL, appendix A "Error codes"; the first two characters are the class.
Kind kind_of(std::string_view state) {
  if (state.starts_with("08") || state.starts_with("57P")) return Kind::kNetwork;
  if (state == "57014") return Kind::kNetwork;  // statement_timeout
  if (state.starts_with("53") || state.starts_with("58")) return Kind::kIo;
  if (state.starts_with("XX")) return Kind::kCorrupt;
  return Kind::kInput;
}

}  // namespace

std::string_view PgResult::bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::int64_t PgResult::integer(int row, int column) const {
  const auto text = bytes(row, column);
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

double PgResult::number(int row, int column) const {
  const auto text = bytes(row, column);
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::size_t PgResult::affected() const {
  const std::string_view text = PQcmdTuples(result_.get());
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

PgConnection::PgConnection(const std::map<std::string, std::string>& parameters,
                           const std::string& shown)
    : shown_(shown) {
  std::vector<const char*> names, values;
  for (const auto& [name, value] : parameters) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectdbParams(names.data(), values.data(), 0));
  if (connection_ != nullptr && PQstatus(connection_.get()) == CONNECTION_OK) {
    PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
    return;
  }
  const auto why = one_line(connection_ ? PQerrorMessage(connection_.get()) : "out of memory");
  // A server that says FATAL is there and refuses (user, password, database); one that starts or
  // stops may be asked again.
  const bool refused = why.find("FATAL:") != std::string::npos &&
                       why.find("starting up") == std::string::npos &&
                       why.find("shutting down") == std::string::npos;
  const bool mistyped = why.starts_with("invalid ");
  throw Error(refused || mistyped ? Kind::kInput : Kind::kNetwork,
              fmt::format("{}: cannot connect: {}.", shown, why));
}

PgResult PgConnection::checked(PGresult* raw) {
  PgResult result(raw);
  const auto status = PQresultStatus(raw);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_COPY_IN)
    return result;
  const char* state = PQresultErrorField(raw, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(raw, PG_DIAG_MESSAGE_PRIMARY);
  if (state == nullptr || message == nullptr)
    throw Error(Kind::kNetwork,
                fmt::format("{}: {}.", shown_, one_line(PQerrorMessage(connection_.get()))));
  throw Error(kind_of(state), fmt::format("{}: the server refused: {} (SQLSTATE {}).", shown_,
                                          one_line(message), state));
}

void PgConnection::execute(const std::string& sql) {
  checked(PQexec(connection_.get(), sql.c_str()));
}

PgResult PgConnection::query(const std::string& sql, std::span<const PgValue> values,
                             bool binary_result) {
  std::vector<const char*> bytes;
  std::vector<int> sizes, formats;
  for (const auto& value : values) {
    bytes.push_back(value.bytes.c_str());
    sizes.push_back(static_cast<int>(value.bytes.size()));
    formats.push_back(value.binary ? 1 : 0);
  }
  return checked(PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()),
                              nullptr, bytes.data(), sizes.data(), formats.data(),
                              binary_result ? 1 : 0));
}

void PgConnection::copy_in(const std::string& sql, std::string_view data) {
  constexpr std::size_t kPiece = 1 << 20;
  checked(PQexec(connection_.get(), sql.c_str()));
  bool sent = true;
  for (std::size_t at = 0; sent && at < data.size(); at += kPiece) {
    const auto piece = data.substr(at, kPiece);
    sent = PQputCopyData(connection_.get(), piece.data(), static_cast<int>(piece.size())) == 1;
  }
  sent = PQputCopyEnd(connection_.get(), sent ? nullptr : "interrupted") == 1 && sent;
  // The answer says what went wrong, also where sending failed.
  PgResult last(nullptr);
  while (PGresult* result = PQgetResult(connection_.get())) last = PgResult(result);
  if (last.get() == nullptr || !sent || PQresultStatus(last.get()) != PGRES_COMMAND_OK) {
    const char* state =
        last.get() == nullptr ? nullptr : PQresultErrorField(last.get(), PG_DIAG_SQLSTATE);
    throw Error(state == nullptr ? Kind::kNetwork : kind_of(state),
                fmt::format("{}: {}.", shown_, one_line(PQerrorMessage(connection_.get()))));
  }
}

PgTransaction::~PgTransaction() {
  if (done_) return;
  try {
    connection_.execute("ROLLBACK");
  } catch (const Error&) {
    // The connection is gone, and the transaction with it.
  }
}

std::unique_ptr<PgConnection> PgPool::take() const {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  auto connection = std::make_unique<PgConnection>(parameters_, shown_);
  connection->execute(setup_);
  return connection;
}

void PgPool::give(std::unique_ptr<PgConnection> connection) const {
  const std::lock_guard lock(mutex_);
  if (connection->broken()) {
    idle_.clear();  // most likely cut as well
  } else {
    idle_.push_back(std::move(connection));
  }
}

}  // namespace tandem
