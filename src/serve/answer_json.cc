#include "serve/answer_json.h"

#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <fmt/format.h>

namespace tandem::serve {
namespace {

constexpr std::size_t kMostDigits = 32;  // of a float: "-1.17549435e-38" and room

}  // namespace

void append_number(std::string& out, float value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char digits[kMostDigits];
  const auto [end, failure] = std::to_chars(digits, digits + kMostDigits, value);
  out.append(digits, end);
}

void append_numbers(std::string& out, std::span<const float> values) {
  const std::size_t start = out.size();
  out.resize(start + 2 + values.size() * kMostDigits);
  char* at = out.data() + start;
  *at++ = '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) *at++ = ',';
    if (std::isfinite(values[i])) {
      at = std::to_chars(at, at + kMostDigits - 1, values[i]).ptr;
    } else {
      at = std::copy_n("null", 4, at);
    }
  }
  *at++ = ']';
  out.resize(static_cast<std::size_t>(at - out.data()));
}

void append_text(std::string& out, std::string_view text) {
  out += json::dump(json::value(boost::json::string_view(text.data(), text.size())));
}

json::value number_json(float value) {
  if (!std::isfinite(value)) return nullptr;
  char digits[kMostDigits];
  const auto [end, failure] = std::to_chars(digits, digits + kMostDigits, value);
  double read = 0;
  std::from_chars(digits, end, read);
  return read;
}

json::array numbers_json(std::span<const float> values) {
  json::array out;
  out.reserve(values.size());
  for (const float value : values) out.push_back(number_json(value));
  return out;
}

std::string base64(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (k < n ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k) out += k <= n ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string base64(std::span<const float> values) {
  static_assert(std::endian::native == std::endian::little);
  return base64(std::as_bytes(values));
}

std::string iso_time(std::int64_t ns_since_1970) {
  using std::chrono::nanoseconds;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(nanoseconds(ns_since_1970));
  const auto days = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date{std::chrono::sys_days(days)};
  const std::chrono::hh_mm_ss time(seconds - days);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

Response json_answer(const json::value& body, int status) {
  Response answer;
  answer.status = status;
  answer.body = json::dump(body);
  return answer;
}

}  // namespace tandem::serve
