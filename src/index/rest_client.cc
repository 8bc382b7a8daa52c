#include "index/rest_client.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <thread>

#include "core/error.h"

namespace tandem {
namespace {

constexpr int kTries = 5;
constexpr std::uint64_t kMostAnswerBytes = std::uint64_t{256} << 20;
constexpr std::size_t kMostWords = 300;  // of a server's message

int number(const std::string& text, const std::string& option) {
  int value = 0;
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || stop != text.data() + text.size() || value < 1)
    throw Error(Kind::kInput, option + ": expected a whole number of at least 1.");
  return value;
}

// How long a busy server asks to be left alone, or twice as long as last time.
std::chrono::milliseconds pause(const HttpResponse& response, int tried) {
  const auto asked = response.header("retry-after");
  int seconds = 0;
  std::from_chars(asked.data(), asked.data() + asked.size(), seconds);
  if (seconds > 0) return std::chrono::seconds(std::min(seconds, 10));
  return std::chrono::milliseconds(100 << tried);
}

// The server's words on one line, without what terminals obey.
std::string words_of(const HttpResponse& response, const std::string& secret) {
  std::string out = response.error_body.substr(0, kMostWords);
  for (auto& c : out) c = (c >= 0 && c < ' ') || c == 0x7f ? ' ' : c;
  for (auto at = out.find(secret); !secret.empty() && at != std::string::npos;
       at = out.find(secret, at + 3))
    out.replace(at, secret.size(), "***");
  return out.empty() ? "no reason given" : out;
}

}  // namespace

RestClient::RestClient(StoreLocation& at, int usual_port, std::vector<std::string> headers,
                       std::string secret)
    : secret_(std::move(secret)), headers_(std::move(headers)) {
  if (at.host.empty()) throw Error(Kind::kInput, at.shown() + ": no host is named.");
  const auto host = at.host.find(':') != std::string::npos ? "[" + at.host + "]" : at.host;
  base_ = fmt::format("{}://{}:{}", at.tls ? "https" : "http", host,
                      at.port == 0 ? usual_port : at.port);
  shown_ = at.shown();
  options_.plain_http = !at.tls;
  options_.total_timeout =
      std::chrono::milliseconds(number(at.take("timeout_ms", "60000"), "timeout_ms"));
  options_.stall_timeout = options_.total_timeout;
  options_.most_body_bytes = kMostAnswerBytes;
  options_.ca_file = at.take("ca", "");
  headers_.push_back("Accept: application/json");
}

RestAnswer RestClient::call(const std::string& method, const std::string& path,
                            const std::string& body) const {
  HttpRequest request{.url = base_ + path, .leave_origin = false, .headers = headers_};
  if (method != "GET") request.method = method;
  request.body = body;
  if (!body.empty()) request.headers.push_back("Content-Type: application/json");
  return send(std::move(request));
}

RestAnswer RestClient::call_lines(const std::string& path, const std::string& lines) const {
  HttpRequest request{.url = base_ + path,
                      .leave_origin = false,
                      .headers = headers_,
                      .method = "POST",
                      .body = lines};
  request.headers.push_back("Content-Type: application/x-ndjson");
  return send(std::move(request));
}

RestAnswer RestClient::send(HttpRequest request) const {
  std::unique_ptr<HttpClient> client;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      client = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (client == nullptr) client = std::make_unique<HttpClient>(options_);
  HttpResponse response;
  std::string text;
  for (int tried = 0; tried < kTries; ++tried) {
    text.clear();
    const auto began = std::chrono::steady_clock::now();
    response =
        client->send(request, [&text](const HttpResponse&, std::span<const std::byte> piece) {
          text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
          return true;
        });
    const bool busy = response.status == 429 || response.status == 503;
    // A kept connection may have been closed just now: once more, with another. One that took long
    // to fail was another trouble.
    const bool cut = !response.failure.empty() && response.worth_retry && tried == 0 &&
                     std::chrono::steady_clock::now() - began < std::chrono::seconds(1);
    if (!busy && !cut) break;
    if (tried + 1 < kTries)
      std::this_thread::sleep_for(cut ? std::chrono::milliseconds(0) : pause(response, tried));
  }
  {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(client));
  }
  if (!response.ok() && response.status != 404) refuse(request, response);
  RestAnswer answer{response.status, nullptr};
  const auto& body = response.ok() ? text : response.error_body;
  try {
    if (!body.empty()) answer.body = json::parse(body, shown_);
  } catch (const Error& error) {
    if (response.ok())
      throw Error(Kind::kUnsupported, std::string("no answer of this kind of "
                                                  "database: ") +
                                          error.what());
  }
  return answer;
}

void RestClient::refuse(const HttpRequest& request, const HttpResponse& response) const {
  if (!response.failure.empty())
    throw Error(Kind::kNetwork, fmt::format("{}: {}.", shown_, response.failure));
  if (response.status == 401 || response.status == 403)
    throw Error(Kind::kInput,
                fmt::format("{}: it does not let us in (HTTP {}): {}. Expected the key in the "
                            "location: SCHEME://KEY@HOST….",
                            shown_, response.status, words_of(response, secret_)));
  const bool theirs = response.status >= 500 || response.status == 429;
  throw Error(
      theirs ? Kind::kNetwork : Kind::kInput,
      fmt::format("{}: {} {}: the server answers {}: {}", shown_,
                  request.method.empty() ? "GET" : request.method, request.url.substr(base_.size()),
                  response.status, words_of(response, secret_)));
}

std::string vector_text(std::span<const float> row) {
  fmt::memory_buffer out;
  out.push_back('[');
  for (const float value : row)
    fmt::format_to(std::back_inserter(out), "{}{}", out.size() > 1 ? "," : "", value);
  out.push_back(']');
  return fmt::to_string(out);
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t at) {
      return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0U;
    };
    const auto three = (byte(i) << 16) | (byte(i + 1) << 8) | byte(i + 2);
    for (std::size_t digit = 0; digit < 4; ++digit)
      out += i + digit > bytes.size() ? '=' : kDigits[(three >> (18 - 6 * digit)) & 63];
  }
  return out;
}

}  // namespace tandem
