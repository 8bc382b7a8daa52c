#include "index/iso_time.h"

#include <chrono>
#include <fmt/format.h>

namespace tandem {
namespace {

constexpr std::int64_t kNs = 1'000'000'000;

// Exactly `digits` digits from the front, which are taken off. Nothing: something else is there.
std::optional<int> number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// The part after the seconds' point, in nanoseconds; up to nine digits.
std::optional<std::int64_t> fraction(std::string_view& text) {
  if (!take(text, '.')) return 0;
  std::int64_t value = 0;
  std::int64_t unit = kNs;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9' && unit > 1) {
    unit /= 10;
    value += unit * (text.front() - '0');
    text.remove_prefix(1);
  }
  if (unit == kNs) return std::nullopt;
  return value;
}

// The time of day, in nanoseconds.
std::optional<std::int64_t> clock(std::string_view& text) {
  const auto hour = number(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = number(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  std::int64_t ns = 0;
  int second = 0;
  if (take(text, ':')) {
    const auto seconds = number(text, 2);
    if (!seconds || *seconds > 59) return std::nullopt;
    const auto part = fraction(text);
    if (!part) return std::nullopt;
    second = *seconds;
    ns = *part;
  }
  take(text, 'Z');
  return ((*hour * 60 + *minute) * 60 + second) * kNs + ns;
}

}  // namespace

std::optional<std::int64_t> parse_iso_time(std::string_view text) {
  const auto year = number(text, 4);
  if (!year || *year < 1678 || *year > 2261 || !take(text, '-')) return std::nullopt;
  const auto month = number(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = number(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  std::int64_t of_day = 0;
  if (!text.empty()) {
    if (!take(text, 'T') && !take(text, ' ')) return std::nullopt;
    const auto time = clock(text);
    if (!time || !text.empty()) return std::nullopt;
    of_day = *time;
  }
  constexpr std::int64_t kDay = 86'400 * kNs;
  return std::chrono::sys_days(date).time_since_epoch().count() * kDay + of_day;
}

std::string iso_time(std::int64_t ns) {
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::nanoseconds> time{std::chrono::nanoseconds(ns)};
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(floor<std::chrono::seconds>(time - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace tandem
