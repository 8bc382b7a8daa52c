// What the server's routes are given and what they answer.
#pragma once

#include <chrono>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::serve {

using Clock = std::chrono::steady_clock;

struct Request {
  std::string method;                           // "POST"
  std::string path;                             // "/v1/items/7", without the query, not decoded
  std::map<std::string, std::string> query;     // ?a=b, decoded; the last of equal names
  std::map<std::string, std::string> captures;  // {id} of the route's path, decoded
  std::map<std::string, std::string> headers;   // lower-case names
  std::string body;
  std::string peer;  // address, behind a listed proxy the one it forwarded for
  std::string id;    // X-Request-Id as given, where it is sane, else made here
  std::string key;   // name of the API key that was shown; empty: none
  Clock::time_point received;
  Clock::time_point deadline;  // after it the answer is 503

  std::string header(const std::string& lower_case_name) const;  // empty when absent
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// An answer other than what was asked for. The body is made in one place, in the shape of the
// route's dialect:
// {"error":{"code":429,"type":"overloaded","message":"…","param":null},"request_id":"…"}.
class HttpError : public std::exception {
 public:
  HttpError(int status, std::string type, std::string message,
            std::optional<std::string> param = std::nullopt, int retry_after_s = 0)
      : status_(status),
        retry_after_s_(retry_after_s),
        type_(std::move(type)),
        message_(std::move(message)),
        param_(std::move(param)) {}
  int status() const noexcept { return status_; }
  const std::string& type() const noexcept { return type_; }  // "invalid_request", "overloaded", …
  const std::optional<std::string>& param() const noexcept { return param_; }
  int retry_after_s() const noexcept { return retry_after_s_; }  // 0: no Retry-After
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  int status_;
  int retry_after_s_;
  std::string type_;
  std::string message_;
  std::optional<std::string> param_;
};

}  // namespace tandem::serve
