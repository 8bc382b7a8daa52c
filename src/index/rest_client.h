// JSON over HTTP to a database. Trouble is an Error: cannot be reached or stays busy is kNetwork, a
// refusal kInput with the server's words, a key that it does not take too. The key is in no
// message.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/http_client.h"
#include "core/json.h"
#include "index/store_location.h"

namespace tandem {

struct RestAnswer {
  int status = 0;
  json::value body;  // null where there is none
};

// Safe to share between threads.
class RestClient {
 public:
  // headers: sent with each request ("api-key: …"). secret: is blotted out of messages. Takes the
  // options ca (a PEM file to trust) and timeout_ms (of one request, 60000) out of `at`.
  RestClient(StoreLocation& at, int usual_port, std::vector<std::string> headers,
             std::string secret);

  // `path` begins with /. Asks again, a few times, where the server is busy (429, 503). Answers
  // other than 2xx are thrown, except 404, which is returned: the caller knows what is missing.
  RestAnswer call(const std::string& method, const std::string& path,
                  const std::string& body = {}) const;
  RestAnswer call_lines(const std::string& path, const std::string& lines) const;  // POSTs ndjson
  const std::string& shown() const { return shown_; }

 private:
  RestAnswer send(HttpRequest request) const;
  [[noreturn]] void refuse(const HttpRequest& request, const HttpResponse& response) const;

  std::string base_;
  std::string shown_;
  std::string secret_;
  std::vector<std::string> headers_;
  HttpOptions options_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<HttpClient>> idle_;
};

// [0.1,-0.25,…]: each value with as many digits as tell it from its neighbours.
std::string vector_text(std::span<const float> row);

std::string base64(std::string_view bytes);

}  // namespace tandem
