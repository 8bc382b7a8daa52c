#include "index/where.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fmt/format.h>
#include <string_view>

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

int authorize(void*, int action, const char* first, const char* second, const char*, const char*) {
  const std::string_view table = first != nullptr ? first : "";
  const std::string_view function = second != nullptr ? second : "";
  if (action == SQLITE_SELECT) return SQLITE_OK;
  if (action == SQLITE_READ && (table == "items" || table == "json_each")) return SQLITE_OK;
  const bool harmless =
      std::find(kFunctions.begin(), kFunctions.end(), function) != kFunctions.end();
  return action == SQLITE_FUNCTION && harmless ? SQLITE_OK : SQLITE_DENY;
}

using Deadline = std::chrono::steady_clock::time_point;

int past_deadline(void* deadline) {
  return std::chrono::steady_clock::now() > *static_cast<Deadline*>(deadline) ? 1 : 0;
}

// While it lives, the connection runs a stranger's statement: authorizer, deadline and small limits
// are on.
class Confinement {
 public:
  Confinement(sqlite3* db, int timeout_ms)
      : db_(db),
        deadline_(std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms)) {
    for (std::size_t i = 0; i < kLimits.size(); ++i)
      before_[i] = sqlite3_limit(db, kLimits[i][0], kLimits[i][1]);
    sqlite3_set_authorizer(db, authorize, nullptr);
    constexpr int kInstructions = 1'000;  // between two looks at the clock
    sqlite3_progress_handler(db, kInstructions, past_deadline, &deadline_);
  }
  ~Confinement() {
    sqlite3_progress_handler(db_, 0, nullptr, nullptr);
    sqlite3_set_authorizer(db_, nullptr, nullptr);
    for (std::size_t i = 0; i < kLimits.size(); ++i) sqlite3_limit(db_, kLimits[i][0], before_[i]);
  }
  Confinement(const Confinement&) = delete;
  Confinement& operator=(const Confinement&) = delete;

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
  Deadline deadline_;
  std::array<int, 7> before_{};
};

Error refused(const std::string& condition, std::string_view why) {
  return Error(Kind::kInput,
               fmt::format("condition \"{}\": {}. Expected SQL over id, uri, sha256, size_bytes, "
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

}  // namespace

std::vector<std::int64_t> matching_ids(Database& database, const std::string& condition,
                                       int timeout_ms) {
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
  std::vector<std::int64_t> ids;
  int step = sqlite3_step(raw);
  for (; step == SQLITE_ROW; step = sqlite3_step(raw)) ids.push_back(sqlite3_column_int64(raw, 0));
  if (step != SQLITE_DONE) throw_for(database, condition, timeout_ms);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace tandem
