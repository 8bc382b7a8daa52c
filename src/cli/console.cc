#include "cli/console.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/error.h"

namespace tandem::cli {
namespace {

constexpr std::chrono::milliseconds kPatience{700};

bool wants_colour() {
  const char* no_colour = std::getenv("NO_COLOR");  // https://no-color.org
  const char* term = std::getenv("TERM");
  return (no_colour == nullptr || *no_colour == '\0') &&
         !(term != nullptr && std::string_view(term) == "dumb");
}

int columns_of(int descriptor) {
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const int given = columns == nullptr ? 0 : std::atoi(columns);
  return given > 0 ? given : 80;
}

std::string_view code(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kBold:
      return "\x1b[1m";
    case Style::kDim:
      return "\x1b[2m";
    case Style::kRed:
      return "\x1b[31m";
    case Style::kGreen:
      return "\x1b[32m";
    case Style::kCyan:
      return "\x1b[36m";
  }
  return "";
}

std::string paint(std::string_view text, Style style) {
  if (style == Style::kPlain || text.empty()) return std::string(text);
  return std::string(code(style)) + std::string(text) + "\x1b[0m";
}

}  // namespace

Console::Console()
    : out_terminal_(isatty(STDOUT_FILENO) != 0),
      error_terminal_(isatty(STDERR_FILENO) != 0),
      out_colour_(out_terminal_ && wants_colour()),
      error_colour_(error_terminal_ && wants_colour()),
      width_(columns_of(STDOUT_FILENO)) {}

Console::~Console() { clear_progress(); }

void Console::out(std::string_view line) {
  clear_progress();
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

void Console::note(std::string_view line) {
  if (!quiet_) write_error_line(line);
}

void Console::warn(std::string_view line) {
  write_error_line((error_colour_ ? paint("warning:", Style::kBold) : "warning:") +
                   (" " + std::string(line)));
}

void Console::error(std::string_view line) {
  write_error_line((error_colour_ ? paint("tandem:", Style::kRed) : "tandem:") +
                   (" " + std::string(line)));
}

std::unique_ptr<Progress> Console::progress(std::string unit, std::optional<std::uint64_t> total) {
  ProgressOptions options;
  options.unit = std::move(unit);
  options.total = total;
  if (error_terminal_) options.interval = std::chrono::milliseconds(100);
  const auto begin = std::chrono::steady_clock::now();
  // Work that is over before anyone could wonder needs no progress.
  const auto patience = std::max<std::chrono::milliseconds>(options.interval, kPatience);
  return std::make_unique<Progress>(std::move(options), [this, begin,
                                                         patience](const std::string& line) {
    if (quiet_ || std::chrono::steady_clock::now() - begin < patience) return;
    const std::lock_guard lock(mutex_);
    if (error_terminal_) {
      std::fprintf(stderr, "\r\x1b[K%s", fit(line, static_cast<std::size_t>(width_ - 1)).c_str());
      progress_shown_ = true;
    } else {
      std::fprintf(stderr, "%s\n", line.c_str());
    }
    std::fflush(stderr);
  });
}

void Console::clear_progress() {
  const std::lock_guard lock(mutex_);
  if (!progress_shown_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  progress_shown_ = false;
}

std::string Console::styled(std::string_view text, Style style) const {
  return out_colour_ ? paint(text, style) : std::string(text);
}

void Console::finish() {
  clear_progress();
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  if (errno == EPIPE) return;
  throw_errno("cannot write the results to", "standard output");
}

void Console::write_error_line(std::string_view line) {
  clear_progress();
  std::fflush(stdout);  // so that both streams on one terminal stay in order
  std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

std::string bar(double share, std::size_t columns) {
  static constexpr std::string_view kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths = static_cast<std::size_t>(
      std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(columns) * 8));
  std::string text;
  for (std::size_t i = 0; i < eighths / 8; ++i) text += "█";
  text += kEighths[eighths % 8];
  const auto used = (eighths + 7) / 8;
  return text + std::string(columns - used, ' ');
}

}  // namespace tandem::cli
