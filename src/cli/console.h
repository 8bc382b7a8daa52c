// The terminal: results to stdout, everything else to stderr, and what each of them can show.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/progress.h"

namespace tandem::cli {

enum class Style { kPlain, kBold, kDim, kRed, kGreen, kCyan };

// Not thread-safe, except progress(), whose Progress may be told from any thread.
class Console {
 public:
  // Looks at what stdout and stderr are connected to, and at NO_COLOR, TERM and COLUMNS.
  Console();
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // Result lines. The text is written as it is: escape() whatever came from outside.
  void out(std::string_view line);
  // Messages: warnings, reports, hints. note() is silent with --quiet.
  void note(std::string_view line);
  void warn(std::string_view line);
  void error(std::string_view line);

  // One rewritten line on a terminal, else a line every 10 s; nothing with --quiet. `total`
  // unknown: no ETA.
  std::unique_ptr<Progress> progress(std::string unit, std::optional<std::uint64_t> total);
  // Takes the progress line off the terminal. Call when the work is over.
  void clear_progress();

  // `text` as stdout shows it: coloured on a terminal, plain otherwise.
  std::string styled(std::string_view text, Style style) const;
  bool out_is_terminal() const { return out_terminal_; }
  int width() const { return width_; }  // columns of stdout, 80 when unknown

  void set_quiet() { quiet_ = true; }
  // Flushes stdout; throws kIo when results could not be written (disk full). A closed pipe is no
  // error.
  void finish();

 private:
  void write_error_line(std::string_view line);
  bool out_terminal_ = false;
  bool error_terminal_ = false;
  bool out_colour_ = false;
  bool error_colour_ = false;
  bool quiet_ = false;
  int width_ = 80;
  std::mutex mutex_;  // guards what is written to stderr
  bool progress_shown_ = false;
};

// Text from outside made safe and legible in one line: control characters, invalid UTF-8, and marks
// that reorder or hide text become \n, \x1b, \u202e.
std::string escape(std::string_view text);

// Columns that text takes on a terminal: 2 for wide East Asian characters and emoji, 0 for
// combining marks.
std::size_t display_width(std::string_view text);
// The text, cut to `columns` with "…" at the end (or at the beginning: paths tell more by their
// end).
std::string fit(std::string_view text, std::size_t columns);
std::string fit_path(std::string_view text, std::size_t columns);

// A horizontal bar of `columns` for a share in 0..1, in eighths of a column: "███▌    ".
std::string bar(double share, std::size_t columns);

}  // namespace tandem::cli
