#include "index/where.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fmt/format.h>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>

#include "core/error.h"

namespace tandem {
namespace {

constexpr std::array<std::string_view, 37> kFunctions = {
    "->",        "->>",       "abs",          "coalesce",  "count",      "date",
    "datetime",  "exists",    "glob",         "hex",       "ifnull",     "iif",
    "instr",     "json",      "json_extract", "json_type", "json_valid", "json_array_length",
    "json_each", "julianday", "length",       "like",      "lower",      "ltrim",
    "max",       "min",       "nullif",       "round",     "rtrim",      "sign",
    "strftime",  "substr",    "substring",    "time",      "trim",       "typeof",
    "upper"};

// Their answers may depend on the time of day.
constexpr std::array<std::string_view, 5> kOfTime = {"date", "datetime", "julianday", "strftime",
                                                     "time"};

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// `of_time` is told when a condition asks for the time.
int authorize(void* of_time, int action, const char* first, const char* second, const char*,
              const char*) {
  const std::string_view table = first != nullptr ? first : "";
  const std::string_view function = second != nullptr ? second : "";
  if (action == SQLITE_SELECT) return SQLITE_OK;
  if (action == SQLITE_READ && (table == "items" || table == "json_each")) return SQLITE_OK;
  if (action != SQLITE_FUNCTION || !contains(kFunctions, function)) return SQLITE_DENY;
  if (contains(kOfTime, function)) *static_cast<bool*>(of_time) = true;
  return SQLITE_OK;
}

using Deadline = std::chrono::steady_clock::time_point;

int past_deadline(void* deadline) {
  return std::chrono::steady_clock::now() > *static_cast<Deadline*>(deadline) ? 1 : 0;
}

// While it lives, statements that take longer are stopped.
class TimeLimit {
 public:
  TimeLimit(sqlite3* db, int timeout_ms)
      : db_(db),
        deadline_(std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms)) {
    constexpr int kInstructions = 1'000;  // between two looks at the clock
    sqlite3_progress_handler(db, kInstructions, past_deadline, &deadline_);
  }
  ~TimeLimit() { sqlite3_progress_handler(db_, 0, nullptr, nullptr); }
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;

 private:
  sqlite3* db_;
  Deadline deadline_;
};

// While it lives, the connection runs a stranger's statement: authorizer, deadline and small limits
// are on.
class Confinement {
 public:
  Confinement(sqlite3* db, int timeout_ms) : db_(db), limit_(db, timeout_ms) {
    for (std::size_t i = 0; i < kLimits.size(); ++i)
      before_[i] = sqlite3_limit(db, kLimits[i][0], kLimits[i][1]);
    sqlite3_set_authorizer(db, authorize, &of_time_);
  }
  ~Confinement() {
    sqlite3_set_authorizer(db_, nullptr, nullptr);
    for (std::size_t i = 0; i < kLimits.size(); ++i) sqlite3_limit(db_, kLimits[i][0], before_[i]);
  }
  Confinement(const Confinement&) = delete;
  Confinement& operator=(const Confinement&) = delete;
  bool of_time() const { return of_time_; }

 private:
  static constexpr std::array<std::array<int, 2>, 7> kLimits = {
      {{SQLITE_LIMIT_LENGTH, 1 << 24},
       {SQLITE_LIMIT_SQL_LENGTH, 1 << 16},
       {SQLITE_LIMIT_EXPR_DEPTH, 100},
       {SQLITE_LIMIT_COMPOUND_SELECT, 4},
       {SQLITE_LIMIT_ATTACHED, 0},
       {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200},
       {SQLITE_LIMIT_VDBE_OP, 25'000}}};
  sqlite3* db_;
  TimeLimit limit_;
  bool of_time_ = false;
  std::array<int, 7> before_{};
};

Error refused(const std::string& condition, std::string_view why) {
  return Error(
      Kind::kInput,
      fmt::format("condition \"{}\": {}. Expected SQL over id, kind, uri, sha256, size_bytes, "
                  "mtime_ns, width, height, "
                  "caption, metadata, as in \"width > 500 AND caption LIKE '%cat%'\".",
                  condition.substr(0, 200), why));
}

[[noreturn]] void throw_for(Database& database, const std::string& condition, int timeout_ms) {
  const int code = sqlite3_errcode(database.handle());
  switch (code) {
    case SQLITE_INTERRUPT:
      throw refused(condition, fmt::format("took longer than {} ms", timeout_ms));
    case SQLITE_AUTH:
    case SQLITE_ERROR:
    case SQLITE_TOOBIG:
      throw refused(condition, sqlite3_errmsg(database.handle()));
    default:
      database.fail();
  }
}

void bind_values(Statement& statement, const std::vector<ItemFilter::Value>& values) {
  int parameter = 0;
  for (const ItemFilter::Value& value : values) {
    ++parameter;
    std::visit(
        [&](const auto& v) {
          using Type = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<Type, bool>) {
            statement.bind(parameter, std::int64_t{v ? 1 : 0});
          } else if constexpr (std::is_same_v<Type, std::string>) {
            statement.bind(parameter, std::string_view(v));
          } else {
            statement.bind(parameter, v);
          }
        },
        value);
  }
}

// The first column of every row.
std::vector<std::int64_t> all_ids(Database& database, Statement& select, int timeout_ms) {
  const TimeLimit limit(database.handle(), timeout_ms);
  std::vector<std::int64_t> ids;
  while (true) {
    const int step = sqlite3_step(select.handle());
    if (step == SQLITE_DONE) return ids;
    if (step == SQLITE_INTERRUPT)
      throw Error(Kind::kInput,
                  fmt::format("filter: took longer than {} ms. Ask for less.", timeout_ms));
    if (step != SQLITE_ROW) database.fail();
    ids.push_back(select.integer(0));
  }
}

}  // namespace

Matching matching_where(Database& database, const std::string& condition, int timeout_ms) {
  if (condition.find('\0') != std::string::npos) throw refused("", "holds a zero byte");
  // Line breaks keep a trailing "-- remark" from swallowing the closing parenthesis.
  const std::string sql = "SELECT id FROM items WHERE (\n" + condition + "\n)";
  // SQLite builds this table at its first use, which the authorizer would not let it do.
  const Statement first_use(database, "SELECT 1 FROM json_each('[]')");
  const Confinement confinement(database.handle(), timeout_ms);
  sqlite3_stmt* raw = nullptr;
  const char* tail = nullptr;
  const int code =
      sqlite3_prepare_v2(database.handle(), sql.c_str(), static_cast<int>(sql.size()), &raw, &tail);
  const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(raw, sqlite3_finalize);
  if (code != SQLITE_OK) throw_for(database, condition, timeout_ms);
  if (tail != sql.c_str() + sql.size()) throw refused(condition, "is more than one statement");
  Matching found;
  auto& ids = found.ids;
  int step = sqlite3_step(raw);
  for (; step == SQLITE_ROW; step = sqlite3_step(raw)) ids.push_back(sqlite3_column_int64(raw, 0));
  if (step != SQLITE_DONE) throw_for(database, condition, timeout_ms);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  found.lasting = !confinement.of_time();
  return found;
}

std::vector<std::int64_t> matching_ids(Database& database, const std::string& condition,
                                       int timeout_ms) {
  return matching_where(database, condition, timeout_ms).ids;
}

std::vector<std::int64_t> matching_ids(Database& database, const ItemFilter& filter,
                                       int timeout_ms) {
  const BoundSql bound = to_sql(filter);
  Statement select(database, "SELECT id FROM items WHERE " + bound.sql + " ORDER BY id");
  bind_values(select, bound.values);
  return all_ids(database, select, timeout_ms);
}

std::vector<std::int64_t> newest_ids(Database& database, const std::optional<ItemFilter>& filter,
                                     std::size_t offset, std::size_t limit) {
  constexpr int kTimeoutMs = 30'000;
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  BoundSql bound;
  if (filter) bound = to_sql(*filter);
  // Under a condition the rows are read as they lie and sorted: by the index they would be fetched
  // one by one from all over the file.
  const std::string sql =
      filter ? "WHERE " + bound.sql + " ORDER BY +mtime_ns DESC, id" : "ORDER BY mtime_ns DESC, id";
  bound.values.emplace_back(static_cast<std::int64_t>(std::min(limit, kMost)));
  bound.values.emplace_back(static_cast<std::int64_t>(std::min(offset, kMost)));
  Statement select(database, "SELECT id FROM items " + sql + " LIMIT ? OFFSET ?");
  bind_values(select, bound.values);
  return all_ids(database, select, kTimeoutMs);
}

}  // namespace tandem
