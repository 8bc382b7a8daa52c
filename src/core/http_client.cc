#include "core/http_client.h"

#include <algorithm>
#include <curl/curl.h>
#include <fmt/format.h>

#include "core/error.h"
#include "core/progress.h"

namespace tandem {
namespace {

constexpr int kMostRedirects = 10;
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
  const std::atomic<bool>* stop = nullptr;
  std::size_t header_bytes = 0;
  std::uint64_t body_bytes = 0;
};

bool stopping(const Hop& hop) { return hop.stop != nullptr && *hop.stop; }

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
  const bool wanted = hop.response.status >= 200 && hop.response.status < 300;
  if (!wanted || hop.body == nullptr || !*hop.body) return size;
  if ((*hop.body)(hop.response, std::as_bytes(std::span(data, size)))) return size;
  hop.response.refused = true;
  return 0;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return stopping(*static_cast<Hop*>(user)) ? 1 : 0;
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
};

HttpResponse HttpClient::Handle::hop(const HttpRequest& request, Hop state,
                                     const HttpOptions& options, bool with_token) const {
  char detail[CURL_ERROR_SIZE] = "";
  List headers(curl_slist_append(nullptr, "Accept-Encoding: identity"));
  const auto append = [&headers](const std::string& line) {
    headers.reset(curl_slist_append(headers.release(), line.c_str()));
  };
  for (const auto& line : request.headers) append(line);
  if (with_token) append("Authorization: Bearer " + request.bearer_token);

  curl_easy_reset(curl);
  const auto set = [this](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
  set(CURLOPT_URL, state.response.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, options.plain_http ? "http,https" : "https");
  set(CURLOPT_NOBODY, request.head_only ? 1L : 0L);
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
  for (int redirects = 0; redirects <= kMostRedirects; ++redirects) {
    const auto origin = origin_of(url);
    if (origin.empty() || (!options_.plain_http && !origin.starts_with("https:")))
      return failed("refused to go to " + url + ": expected https");
    left = left || origin != first_origin;
    Hop state;
    state.body = &body;
    state.stop = options_.stop;
    state.response.url = url;
    state.response.left_origin = left;
    state.response.origin_headers = origin_headers;
    auto response =
        handle_->hop(request, std::move(state), options_, !left && !request.bearer_token.empty());
    if (!left) origin_headers = response.headers;
    if (!response.failure.empty() || response.interrupted || !is_redirect(response.status))
      return response;
    const auto next = resolve(url, response.header("location"));
    if (next.empty()) return failed("redirected to nowhere from " + url);
    if (!request.leave_origin && origin_of(next) != first_origin) return response;
    if (first_origin.starts_with("https:") && !origin_of(next).starts_with("https:")) {
      url = next;
      return failed("refused to go from https to " + url);
    }
    url = next;
  }
  return failed(fmt::format("redirected more than {} times", kMostRedirects));
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
