// HTTP requests on libcurl: one hop at a time, redirects followed here under our own rules. Trouble
// on the way is a value, not an exception: who asks decides whether to try again. A client keeps
// its connections; use it from one thread at a time. libcurl's own proxy variables apply.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

struct HttpOptions {
  bool plain_http = false;  // also http://, not only https://
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds stall_timeout{10'000};  // less than 512 B/s for so long is a cut
  std::string user_agent = "tandem/0.1";
  const std::atomic<bool>* stop = nullptr;  // polled at least once a second
};

struct HttpRequest {
  std::string url;
  bool head_only = false;
  // Whether a redirect to another scheme, host or port is followed, or returned as the answer.
  bool leave_origin = true;
  std::string bearer_token;          // sent to the url's own origin only, never after leaving it
  std::vector<std::string> headers;  // "Range: bytes=5-"
};

struct HttpResponse {
  int status = 0;                              // 0: no answer came
  std::map<std::string, std::string> headers;  // lower-case names, of the last hop
  bool left_origin = false;                    // that hop was at another scheme, host or port
  std::map<std::string, std::string> origin_headers;  // if so, of the last hop before
  std::string url;                                    // that answered last
  std::string failure;       // empty, or why there is no whole answer: "connection refused"
  bool worth_retry = false;  // of a failure: whether the same request may go better later
  bool interrupted = false;  // `stop` was set
  bool refused = false;      // the body function returned false

  bool ok() const { return failure.empty() && status >= 200 && status < 300; }
  std::string header(const std::string& name) const;
  // Of the last hop at the url's own origin. Known to the body function too.
  std::string origin_header(const std::string& name) const;
};

// What a 2xx answer brings, piece by piece. `head` has status and headers. Return false to stop.
using HttpBody = std::function<bool(const HttpResponse& head, std::span<const std::byte> piece)>;

class HttpClient {
 public:
  explicit HttpClient(HttpOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Sends and follows at most 10 redirects. Bodies of other answers than 2xx are dropped.
  HttpResponse send(const HttpRequest& request, const HttpBody& body = {});

 private:
  struct Handle;
  HttpOptions options_;
  std::unique_ptr<Handle> handle_;
};

// scheme://host:port of a url, in lower case, with the scheme's usual port where none is given;
// empty when `url` is not an absolute http(s) url.
std::string origin_of(const std::string& url);

// `text` with everything but letters, digits and -._~ as %XX; with `keep_slashes`, / too is kept.
enum class Slashes { kKeep, kEscape };
std::string url_escape(std::string_view text, Slashes slashes);

}  // namespace tandem
