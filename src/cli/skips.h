// Pictures that were left out: each is told once, all are counted, and what remains decides the
// exit code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tandem/error.h"

#include "cli/console.h"
#include "data/record.h"

namespace tandem::cli {

// A word for a picture's failure: "broken", "too large", …
std::string_view reason_of(const Error& error);
// A failure as JSON names it: "corrupt", "input", …
std::string_view kind_name(Kind kind);
// What --json prints for a picture that could not be read.
std::string failure_line(const std::string& path, const Error& error);

class Skips {
 public:
  explicit Skips(Console& console) : console_(console) {}
  // Says so on stderr, for the first ten of each reason.
  void add(const std::string& name, const Error& error);
  std::uint64_t total() const { return log_.total(); }
  // The closing line when more were skipped than told. `seen`: pictures looked at.
  void summarise(std::uint64_t seen) const;
  // 0 when the rows that remain are fine; 7 with --strict; the first failure's own code when
  // nothing remains.
  int exit_code(std::uint64_t remaining, bool strict) const;

 private:
  Console& console_;
  SkipLog log_;
  std::optional<Kind> first_;
};

}  // namespace tandem::cli
