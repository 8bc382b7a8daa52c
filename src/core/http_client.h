// HTTP requests on libcurl: one hop at a time, redirects followed here under our own rules. Trouble
// on the way is a value, not an exception: who asks decides whether to try again. A client keeps
// its connections; use it from one thread at a time. libcurl's own proxy variables apply, except
// where only public addresses are let.
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

// What tests let the network say.
struct HttpFakeNetwork {
  // What names resolve to at the given hop (0: the url asked for), each "HOST:PORT:ADDRESS[,…]".
  std::function<std::vector<std::string>(int hop)> resolve;
  // Called for each connection about to be opened. Returns a port of 127.0.0.1 to connect to in its
  // place, 0 to go on as it is. Not asked to go on where not `allowed`.
  std::function<int(const std::string& address, bool allowed)> dial;
};

struct HttpOptions {
  bool plain_http = false;  // also http://, not only https://
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds stall_timeout{10'000};  // less than 512 B/s for so long is a cut
  std::string user_agent = "tandem/0.1";
  const std::atomic<bool>* stop = nullptr;     // polled at least once a second
  std::chrono::milliseconds total_timeout{0};  // of a whole send(), redirects too; 0: none
  std::uint64_t most_body_bytes = 0;           // of an answer; more is a failure; 0: any number
  std::string ca_file;                         // PEM, instead of the system's; empty: the system's
  // For URLs that strangers give: connections only to public addresses (public_address.h), checked
  // as each is opened, so whatever a name resolves to by then, and at each of at most 5 redirects;
  // only ports 80 and 443; no proxy; no credentials in URLs.
  bool only_public = false;
  const HttpFakeNetwork* fake_network = nullptr;  // tests only; borrowed
};

struct HttpRequest {
  std::string url;
  bool head_only = false;
  // Whether a redirect to another scheme, host or port is followed, or returned as the answer.
  bool leave_origin = true;
  std::string bearer_token;          // sent to the url's own origin only, never after leaving it
  std::vector<std::string> headers;  // "Range: bytes=5-"
  // "POST", "PUT", "DELETE" …; empty: GET. Redirects of such requests are returned, not followed.
  std::string method;
  std::string body;  // sent with `method`; its type is a header: "Content-Type: application/json"
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
  std::string error_body;    // of other answers than 2xx: its first 16 KiB

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

  // Sends and follows at most 10 redirects. `body` gets what 2xx answers bring.
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
