#include "cli/skips.h"

#include "cli/exit_code.h"
#include "core/json.h"

namespace tandem::cli {
namespace {

constexpr std::uint64_t kToldEach = 10;

}  // namespace

std::string_view reason_of(const Error& error) {
  switch (error.kind()) {
    case Kind::kInput:
      return "refused";
    case Kind::kNotFound:
      return "vanished";
    case Kind::kCorrupt:
      return "broken";
    case Kind::kUnsupported:
      return "unsupported";
    case Kind::kIo:
      return "unreadable";
    case Kind::kNetwork:
      return "unreachable";
    case Kind::kInternal:
      return "failed";
  }
  return "failed";
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kInput:
      return "input";
    case Kind::kNotFound:
      return "not_found";
    case Kind::kCorrupt:
      return "corrupt";
    case Kind::kUnsupported:
      return "unsupported";
    case Kind::kIo:
      return "io";
    case Kind::kNetwork:
      return "network";
    case Kind::kInternal:
      return "internal";
  }
  return "internal";
}

std::string failure_line(const std::string& path, const Error& error) {
  return json::dump(
      json::object{{"path", path}, {"error", error.what()}, {"kind", kind_name(error.kind())}});
}

void Skips::add(const std::string& name, const Error& error) {
  const auto reason = reason_of(error);
  log_.add(reason, name);
  if (!first_) first_ = error.kind();
  const auto count = log_.reasons().find(reason)->second.count;
  if (count <= kToldEach) console_.warn("skipped: " + escape(error.what()));
  if (count == kToldEach)
    console_.warn("more pictures that are " + std::string(reason) + " are counted, not listed");
}

void Skips::summarise(std::uint64_t seen) const {
  if (total() > 0) console_.warn(log_.summary(seen));
}

int Skips::exit_code(std::uint64_t remaining, bool strict) const {
  if (!first_) return kDone;
  if (remaining == 0) return tandem::cli::exit_code(*first_);
  return strict ? kRowsSkipped : kDone;
}

}  // namespace tandem::cli
