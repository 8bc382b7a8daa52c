// The head of a request, read strictly: what two programs in a row could read differently is
// refused. head := request-line CRLF (name ":" value CRLF)* CRLF
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::serve {

// Source: reliability.md section 2.
struct HeadLimits {
  std::size_t line_bytes = 8 << 10;
  std::size_t total_bytes = 32 << 10;
  std::size_t fields = 100;
};

struct Head {
  std::string method;
  std::string target;
  bool http_1_0 = false;
  std::map<std::string, std::string> fields;  // lower-case names; equal ones joined by ", "
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool expects_continue = false;
  bool keep_alive = true;

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

// What is wrong with a head: 400, 414 (target too long), 417, 431, 501 or 505.
struct HeadFault {
  int status = 400;
  std::string_view message;
};

// Finds a head's end in bytes that arrive piece by piece, looking at each byte once.
class HeadScanner {
 public:
  explicit HeadScanner(const HeadLimits& limits) : limits_(limits) {}

  // bytes: all that came so far, of which earlier calls saw the beginning. The head's size, once
  // its last byte is there; 0 before. fault() afterwards says whether it can become one at all.
  std::size_t scan(std::string_view bytes);
  const std::optional<HeadFault>& fault() const { return fault_; }

 private:
  std::size_t fail(int status, std::string_view message);
  HeadLimits limits_;
  std::size_t at_ = 0;          // looked at so far
  std::size_t line_begin_ = 0;  // of the line that is being read
  std::size_t lines_ = 0;       // whole ones
  std::optional<HeadFault> fault_;
};

// A whole head, as scan() found it. Fills `fault` and returns nothing when it breaks a rule: a
// folded line, a name with white space, control characters, two lengths, a length and chunks, a
// length that is not digits only, chunks in HTTP/1.0, another coding than chunked, a missing or
// second Host.
std::optional<Head> read_head(std::string_view bytes, HeadFault& fault);

}  // namespace tandem::serve
