#include "serve/head.h"

#include <algorithm>
#include <array>

namespace tandem::serve {
namespace {

// RFC 9110 section 5.6.2.
bool is_token_char(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kMarks.find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

// Visible characters, spaces, tabs and bytes of other alphabets.
bool is_value_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool read_request_line(std::string_view line, Head& head, HeadFault& fault) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  fault = {400, "the request line is not METHOD TARGET HTTP/1.1"};
  if (first == std::string_view::npos || first == last) return false;
  const auto target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (!is_token(line.substr(0, first)) || target.empty()) return false;
  const auto visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (!std::all_of(target.begin(), target.end(), visible)) return false;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    if (version.starts_with("HTTP/")) fault = {505, "expected HTTP/1.1"};
    return false;
  }
  head.method = line.substr(0, first);
  head.target = target;
  head.http_1_0 = version == "HTTP/1.0";
  return true;
}

// Of these a second one could be read by another program instead of the first.
constexpr std::array<std::string_view, 8> kOnlyOnce = {
    "host",   "content-length", "transfer-encoding", "content-type", "authorization",
    "origin", "expect",         "content-encoding"};

bool read_field(std::string_view line, Head& head, HeadFault& fault) {
  if (line.front() == ' ' || line.front() == '\t') {
    fault = {400, "folded header lines are not accepted"};
    return false;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    fault = {400, "a header line is not NAME: VALUE"};
    return false;
  }
  auto name = lower(line.substr(0, colon));
  const auto value = trimmed(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), is_value_char)) {
    fault = {400, "a header has control characters"};
    return false;
  }
  const auto [place, is_new] = head.fields.emplace(std::move(name), value);
  if (is_new) return true;
  if (std::find(kOnlyOnce.begin(), kOnlyOnce.end(), place->first) != kOnlyOnce.end()) {
    fault = {400, "a header that may come once came twice"};
    return false;
  }
  place->second.append(", ").append(value);
  return true;
}

bool read_framing(Head& head, HeadFault& fault) {
  const auto coding = head.fields.find("transfer-encoding");
  const auto length = head.fields.find("content-length");
  if (coding != head.fields.end()) {
    fault = {400, "Transfer-Encoding and Content-Length, or HTTP/1.0, do not go together"};
    if (length != head.fields.end() || head.http_1_0) return false;
    if (lower(coding->second) != "chunked") {
      fault = {501, "expected no other Transfer-Encoding than chunked"};
      return false;
    }
    head.chunked = true;
  } else if (length != head.fields.end()) {
    const auto& digits = length->second;
    fault = {400, "Content-Length is not a number"};
    // 15 digits: a million gigabytes.
    if (digits.empty() || digits.size() > 15) return false;
    std::uint64_t number = 0;
    for (const char c : digits) {
      if (c < '0' || c > '9') return false;
      number = number * 10 + static_cast<std::uint64_t>(c - '0');
    }
    head.content_length = number;
  }
  return true;
}

bool read_meaning(Head& head, HeadFault& fault) {
  if (!head.http_1_0 && !head.fields.contains("host")) {
    fault = {400, "expected a Host header"};
    return false;
  }
  head.keep_alive = !head.http_1_0;
  if (const auto found = head.fields.find("connection"); found != head.fields.end()) {
    const auto options = lower(found->second);
    if (options.find("close") != std::string::npos) head.keep_alive = false;
    if (head.http_1_0 && options.find("keep-alive") != std::string::npos) head.keep_alive = true;
  }
  if (const auto found = head.fields.find("expect"); found != head.fields.end()) {
    fault = {417, "expected no other Expect than 100-continue"};
    if (lower(found->second) != "100-continue") return false;
    head.expects_continue = !head.http_1_0;
  }
  return true;
}

}  // namespace

std::size_t HeadScanner::fail(int status, std::string_view message) {
  fault_ = {status, message};
  return 0;
}

std::size_t HeadScanner::scan(std::string_view bytes) {
  const auto too_long = [&] {
    return lines_ == 0 ? fail(414, "the target is too long: expected at most 8 KiB")
                       : fail(431, "a header line is too long: expected at most 8 KiB");
  };
  const auto too_large = [&] {
    return fail(431, "the headers are too large: expected at most 32 KiB");
  };
  for (; at_ < bytes.size(); ++at_) {
    const char c = bytes[at_];
    if (c == '\r') {
      if (at_ + 1 == bytes.size()) break;  // looked at again when its neighbour is there
      if (bytes[at_ + 1] != '\n') return fail(400, "a line ends with CR alone");
      const std::size_t length = at_ - line_begin_;
      if (length > limits_.line_bytes) return too_long();
      ++at_;
      line_begin_ = at_ + 1;
      if (line_begin_ > limits_.total_bytes) return too_large();
      if (length == 0 && lines_ > 0) return at_ + 1;
      if (length == 0) return fail(400, "the request line is empty");
      if (++lines_ > limits_.fields + 1) {
        return fail(431, "too many headers: expected at most 100");
      }
    } else if (c == '\n') {
      return fail(400, "a line ends with LF alone");
    } else if (c == '\0') {
      return fail(400, "a header has control characters");
    }
  }
  if (at_ - line_begin_ > limits_.line_bytes) return too_long();
  return at_ > limits_.total_bytes ? too_large() : 0;
}

std::optional<Head> read_head(std::string_view bytes, HeadFault& fault) {
  Head head;
  bool first = true;
  while (true) {
    const auto end = bytes.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    const auto line = bytes.substr(0, end);
    bytes.remove_prefix(end + 2);
    if (line.empty()) break;
    if (!(first ? read_request_line(line, head, fault) : read_field(line, head, fault))) {
      return std::nullopt;
    }
    first = false;
  }
  if (!read_framing(head, fault) || !read_meaning(head, fault)) return std::nullopt;
  return head;
}

}  // namespace tandem::serve
