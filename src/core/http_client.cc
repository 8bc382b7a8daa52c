#include "core/http_client.h"

#include <algorithm>
#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/error.h"
#include "core/progress.h"
#include "core/public_address.h"

namespace tandem {
namespace {

constexpr int kMostRedirects = 10;
constexpr int kMostPublicRedirects = 5;
constexpr std::size_t kMostErrorBytes = 16 << 10;
constexpr std::size_t kMostHeaderBytes = 64 << 10;
constexpr long kSlowest = 512;  // bytes per second

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Url = std::unique_ptr<CURLU, UrlDeleter>;
using List = std::unique_ptr<curl_slist, ListDeleter>;

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// `location` as an absolute url, read relative to `base`; empty when it is none.
std::string resolve(const std::string& base, const std::string& location) {
  const Url url(curl_url());
  if (curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK) return {};
  if (curl_url_set(url.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK) return {};
  return part(url.get(), CURLUPART_URL);
}

// One hop while it runs.
struct Hop {
  HttpResponse response;
  const HttpBody* body = nullptr;
  const HttpOptions* options = nullptr;
  int number = 0;                          // 0: the url asked for
  std::chrono::milliseconds time_left{0};  // 0: any
  std::size_t header_bytes = 0;
  std::uint64_t body_bytes = 0;
  bool too_large = false;
  std::string forbidden;  // the address that a connection was refused to
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();

  bool out_of_time() const { return std::chrono::steady_clock::now() - began >= time_left; }
};

bool stopping(const Hop& hop) { return hop.options->stop != nullptr && *hop.options->stop; }

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  auto& hop = *static_cast<Hop*>(user);
  hop.header_bytes += size;
  if (hop.header_bytes > kMostHeaderBytes) return 0;
  const std::string_view line(data, size);
  if (line.starts_with("HTTP/")) {  // the next of several heads: 100, then 200
    hop.response.headers.clear();
    return size;
  }
  const auto colon = line.find(':');
  if (colon != std::string_view::npos)
    hop.response.headers[lower(line.substr(0, colon))] = trim(line.substr(colon + 1));
  return size;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& hop = *static_cast<Hop*>(user);
  if (stopping(hop)) return 0;
  hop.body_bytes += size;
  if (hop.options->most_body_bytes > 0 && hop.body_bytes > hop.options->most_body_bytes) {
    hop.too_large = true;
    return 0;
  }
  if (hop.response.status < 200 || hop.response.status >= 300) {
    auto& kept = hop.response.error_body;
    kept.append(data, std::min(size, kMostErrorBytes - kept.size()));
    return size;
  }
  if (hop.body == nullptr || !*hop.body) return size;
  if ((*hop.body)(hop.response, std::as_bytes(std::span(data, size)))) return size;
  hop.response.refused = true;
  return 0;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return stopping(*static_cast<Hop*>(user)) ? 1 : 0;
}

// Opens the socket of a connection, if its address may be connected to.
curl_socket_t on_open(void* user, curlsocktype purpose, curl_sockaddr* address) {
  auto& hop = *static_cast<Hop*>(user);
  if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
  const bool v4 = address->family == AF_INET;
  if (!v4 && address->family != AF_INET6) return CURL_SOCKET_BAD;
  const auto* at = v4 ? reinterpret_cast<const std::uint8_t*>(
                            &reinterpret_cast<const sockaddr_in*>(&address->addr)->sin_addr)
                      : reinterpret_cast<const std::uint8_t*>(
                            &reinterpret_cast<const sockaddr_in6*>(&address->addr)->sin6_addr);
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(address->family, at, text, sizeof(text));
  const bool allowed = !hop.options->only_public || is_public_address({at, v4 ? 4U : 16U});
  const auto* fake = hop.options->fake_network;
  const int port = fake != nullptr && fake->dial ? fake->dial(text, allowed) : 0;
  if (!allowed) {
    hop.forbidden = text;
    return CURL_SOCKET_BAD;
  }
  if (port != 0) {
    sockaddr_in other{};
    other.sin_family = AF_INET;
    other.sin_port = htons(static_cast<std::uint16_t>(port));
    other.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address->family = AF_INET;
    address->addrlen = sizeof(other);
    std::copy_n(reinterpret_cast<const char*>(&other), sizeof(other),
                reinterpret_cast<char*>(&address->addr));
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool passes_later(CURLcode code) {
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
      return false;
    default:
      return true;
  }
}

// Why a hop failed, in words for people.
std::string reason(CURLcode code, const Hop& hop, const char* detail, const HttpOptions& options) {
  if (!hop.forbidden.empty() && hop.response.status == 0)
    return "refused to connect to " + hop.forbidden + ": not a public address";
  if (hop.too_large)
    return fmt::format("its answer is larger than {} bytes",
                       with_thousands(options.most_body_bytes));
  if (code == CURLE_OPERATION_TIMEDOUT && hop.time_left.count() > 0 && hop.out_of_time())
    return fmt::format("not done within {:g} s",
                       static_cast<double>(options.total_timeout.count()) / 1000);
  if (code == CURLE_OPERATION_TIMEDOUT) {
    const auto& limit = hop.response.status == 0 ? options.connect_timeout : options.stall_timeout;
    return fmt::format("no answer, or less than {} bytes a second, for {:g} s", kSlowest,
                       static_cast<double>(limit.count()) / 1000);
  }
  if (code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING)
    return fmt::format("the connection was cut after {} bytes", with_thousands(hop.body_bytes));
  if (hop.header_bytes > kMostHeaderBytes) return "its answer's head is larger than 64 KiB";
  return *detail != 0 ? detail : curl_easy_strerror(code);
}

}  // namespace

struct HttpClient::Handle {
  CURL* curl = curl_easy_init();
  ~Handle() { curl_easy_cleanup(curl); }

  // `state.response` has the url; what comes is added to it.
  HttpResponse hop(const HttpRequest& request, Hop state, const HttpOptions& options,
                   bool with_token) const;
  // Sets where and for how long the hop may go. The list must outlive it.
  List secure(Hop& state) const;
};

List HttpClient::Handle::secure(Hop& state) const {
  const auto& options = *state.options;
  if (!options.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, options.ca_file.c_str());
  if (state.time_left.count() > 0)
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(state.time_left.count()));
  if (options.only_public) {
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  }
  if (options.only_public || options.fake_network != nullptr) {
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, &on_open);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &state);
  }
  List resolved;
  if (options.fake_network != nullptr && options.fake_network->resolve) {
    for (const auto& line : options.fake_network->resolve(state.number))
      resolved.reset(curl_slist_append(resolved.release(), line.c_str()));
    curl_easy_setopt(curl, CURLOPT_RESOLVE, resolved.get());
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);  // or the last one's connection serves
  }
  return resolved;
}

HttpResponse HttpClient::Handle::hop(const HttpRequest& request, Hop state,
                                     const HttpOptions& options, bool with_token) const {
  char detail[CURL_ERROR_SIZE] = "";
  List headers(curl_slist_append(nullptr, "Accept-Encoding: identity"));
  const auto append = [&headers](const std::string& line) {
    headers.reset(curl_slist_append(headers.release(), line.c_str()));
  };
  if (!request.body.empty()) append("Expect:");  // no pause of a second before the body
  for (const auto& line : request.headers) append(line);
  if (with_token) append("Authorization: Bearer " + request.bearer_token);

  curl_easy_reset(curl);
  const List resolved = secure(state);
  const auto set = [this](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
  set(CURLOPT_URL, state.response.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, options.plain_http ? "http,https" : "https");
  set(CURLOPT_NOBODY, request.head_only ? 1L : 0L);
  if (!request.method.empty()) {
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_POSTFIELDS, request.body.data());
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_USERAGENT, options.user_agent.c_str());
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  set(CURLOPT_LOW_SPEED_LIMIT, kSlowest);
  set(CURLOPT_LOW_SPEED_TIME,
      std::max(1L, static_cast<long>(options.stall_timeout.count() / 1000)));
  set(CURLOPT_NOSIGNAL, 0L);  // so that libcurl holds SIGPIPE back while it writes
  set(CURLOPT_BUFFERSIZE, 512L << 10);
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(detail));
  set(CURLOPT_HEADERFUNCTION, &on_header);
  set(CURLOPT_HEADERDATA, &state);
  set(
      CURLOPT_WRITEFUNCTION, +[](char* data, std::size_t unit, std::size_t size, void* user) {
        auto& with_status = *static_cast<std::pair<CURL*, Hop*>*>(user);
        long status = 0;
        curl_easy_getinfo(with_status.first, CURLINFO_RESPONSE_CODE, &status);
        with_status.second->response.status = static_cast<int>(status);
        return on_body(data, unit, size, with_status.second);
      });
  std::pair<CURL*, Hop*> for_body(curl, &state);
  set(CURLOPT_WRITEDATA, &for_body);
  set(CURLOPT_XFERINFOFUNCTION, &on_progress);
  set(CURLOPT_XFERINFODATA, &state);
  set(CURLOPT_NOPROGRESS, 0L);

  const CURLcode code = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  state.response.status = static_cast<int>(status);
  state.response.interrupted = stopping(state);
  if (code != CURLE_OK && !state.response.refused && !state.response.interrupted) {
    state.response.failure = reason(code, state, detail, options);
    state.response.worth_retry = passes_later(code);
  }
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  return std::move(state.response);
}

std::string HttpResponse::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

std::string HttpResponse::origin_header(const std::string& name) const {
  const auto& those = left_origin ? origin_headers : headers;
  const auto found = those.find(name);
  return found == those.end() ? "" : found->second;
}

HttpClient::HttpClient(HttpOptions options)
    : options_(std::move(options)), handle_(std::make_unique<Handle>()) {
  if (handle_->curl == nullptr) throw Error(Kind::kInternal, "libcurl could not be started.");
}

HttpClient::~HttpClient() = default;

HttpResponse HttpClient::send(const HttpRequest& request, const HttpBody& body) {
  const auto first_origin = origin_of(request.url);
  std::string url = request.url;
  std::map<std::string, std::string> origin_headers;
  const auto failed = [&url](const std::string& why) {
    HttpResponse response;
    response.url = url;
    response.failure = why;
    return response;
  };
  bool left = false;  // once left, the token stays out, even where a redirect leads back
  const auto began = std::chrono::steady_clock::now();
  const int most_redirects = options_.only_public ? kMostPublicRedirects : kMostRedirects;
  for (int redirects = 0; redirects <= most_redirects; ++redirects) {
    if (options_.only_public) {
      const auto problem = public_url_problem(url);
      if (!problem.empty()) return failed("refused to go to " + url + ": " + problem);
    }
    const auto origin = origin_of(url);
    if (origin.empty() || (!options_.plain_http && !origin.starts_with("https:")))
      return failed("refused to go to " + url + ": expected https");
    left = left || origin != first_origin;
    Hop state;
    state.body = &body;
    state.options = &options_;
    state.number = redirects;
    if (options_.total_timeout.count() > 0) {
      const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(
          std::chrono::steady_clock::now() - began);
      state.time_left = std::max(options_.total_timeout - spent, std::chrono::milliseconds(1));
    }
    state.response.url = url;
    state.response.left_origin = left;
    state.response.origin_headers = origin_headers;
    auto response =
        handle_->hop(request, std::move(state), options_, !left && !request.bearer_token.empty());
    if (!left) origin_headers = response.headers;
    if (!response.failure.empty() || response.interrupted || !is_redirect(response.status))
      return response;
    if (!request.method.empty()) return response;
    const auto next = resolve(url, response.header("location"));
    if (next.empty()) return failed("redirected to nowhere from " + url);
    if (!request.leave_origin && origin_of(next) != first_origin) return response;
    if (first_origin.starts_with("https:") && !origin_of(next).starts_with("https:")) {
      url = next;
      return failed("refused to go from https to " + url);
    }
    url = next;
  }
  return failed(fmt::format("redirected more than {} times", most_redirects));
}

std::string origin_of(const std::string& url) {
  const Url parsed(curl_url());
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return {};
  const auto scheme = lower(part(parsed.get(), CURLUPART_SCHEME));
  if (scheme != "http" && scheme != "https") return {};
  const auto host = lower(part(parsed.get(), CURLUPART_HOST));
  if (host.empty()) return {};
  return scheme + "://" + host + ":" + part(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

std::string url_escape(std::string_view text, Slashes slashes) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~' ||
                       (c == '/' && slashes == Slashes::kKeep);
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace tandem
