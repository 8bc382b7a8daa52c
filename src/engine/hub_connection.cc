#include "engine/hub_connection.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <thread>

#include "core/error.h"

namespace tandem {
namespace {

using std::chrono::milliseconds;

// A hub that asks for more is left alone: who runs the command decides.
constexpr milliseconds kLongestWait{60'000};
constexpr std::size_t kMostTextBytes = 16 << 20;

// Retry-After in seconds; its other form, a date, is not worth a clock.
std::optional<milliseconds> retry_after(const HttpResponse& response) {
  const auto text = response.header("retry-after");
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0) return std::nullopt;
  return milliseconds(1000 * std::min<std::int64_t>(seconds, 1'000'000));
}

bool passes_later(const HttpResponse& response) {
  if (!response.failure.empty()) return response.worth_retry;
  return response.status == 408 || response.status == 429 || response.status >= 500;
}

std::string problem_of(const HttpResponse& response) {
  return response.failure.empty() ? fmt::format("it answered {}", response.status)
                                  : response.failure;
}

bool is_plain(const std::string& endpoint) { return origin_of(endpoint).starts_with("http:"); }

}  // namespace

HubConnection::HubConnection(const HubOptions& options)
    : options_(options),
      client_({.plain_http = is_plain(options.endpoint),
               .connect_timeout = options.answer_timeout,
               .stall_timeout = options.stall_timeout,
               .stop = options.stop}) {
  if (origin_of(options.endpoint).empty()) {
    throw Error(Kind::kInput, "HF_ENDPOINT " + options.endpoint +
                                  ": not an address. Expected one like https://huggingface.co.");
  }
}

std::string HubConnection::listing_url(const std::string& repository,
                                       const std::string& revision) const {
  return options_.endpoint + "/api/models/" + url_escape(repository, Slashes::kKeep) +
         "/revision/" + url_escape(revision, Slashes::kEscape);
}

std::string HubConnection::file_url(const std::string& repository, const std::string& revision,
                                    const std::string& file) const {
  return options_.endpoint + "/" + url_escape(repository, Slashes::kKeep) + "/resolve/" +
         url_escape(revision, Slashes::kEscape) + "/" + url_escape(file, Slashes::kKeep);
}

HttpResponse HubConnection::once(HttpRequest request, const HttpBody& body) {
  request.bearer_token = options_.token;
  return client_.send(request, body);
}

HttpResponse HubConnection::ask(const HttpRequest& request, const std::string& what,
                                std::string* text) {
  for (int failures = 0;;) {
    if (text != nullptr) text->clear();
    auto response = once(request, [text](const HttpResponse&, std::span<const std::byte> piece) {
      if (text == nullptr) return true;
      text->append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return text->size() <= kMostTextBytes;
    });
    if (response.refused) response.failure = "its answer is larger than 16 MiB";
    if (response.interrupted || !passes_later(response)) return response;
    if (!wait(response, what, failures)) {
      response.interrupted = true;
      return response;
    }
  }
}

bool HubConnection::wait(const HttpResponse& response, const std::string& what, int& failures) {
  const auto told = retry_after(response);
  if (!passes_later(response) || failures >= options_.retries || told > kLongestWait)
    fail(response, what);
  // 100 ms for a hiccup, 4^4 times that, 26 s, for an outage.
  const auto pause = told.value_or(options_.retry_wait * (1 << (2 * std::min(failures, 4))));
  ++failures;
  options_.log.warn(fmt::format("{}: {}. Trying again in {:g} s ({} of {}).", what,
                                problem_of(response), static_cast<double>(pause.count()) / 1000,
                                failures, options_.retries));
  return sleep(pause);
}

void HubConnection::fail(const HttpResponse& response, const std::string& what) const {
  const auto code = response.header("x-error-code");
  const auto say = [&](Kind kind, const std::string& rest) {
    throw Error(kind, fmt::format("cannot fetch {} from {}: {}", what, options_.endpoint, rest));
  };
  const int status = response.failure.empty() ? response.status : 0;
  if (code == "GatedRepo") {
    say(Kind::kNetwork, fmt::format("its owner asks for terms to be accepted first. Accept them on "
                                    "its page with a browser, and {}.",
                                    options_.token.empty() ? "set HF_TOKEN to a token of yours"
                                                           : "use that account's HF_TOKEN"));
  }
  if (code == "RevisionNotFound")
    say(Kind::kNotFound, "it has no such revision. Check --revision.");
  if (code == "EntryNotFound") say(Kind::kNotFound, "it has no such file.");
  if (status == 401 || status == 404) {
    say(Kind::kNotFound,
        "no such repository there, or a private one. Check the name, or set "
        "HF_TOKEN to a token that may read it.");
  }
  if (status == 403)
    say(Kind::kNetwork, "it answered 403, forbidden. Set HF_TOKEN to a token that may read it.");
  if (const auto told = retry_after(response); status != 0 && told) {
    say(Kind::kNetwork, fmt::format("it answered {} and asks to come back in {} s. Run it again "
                                    "then.",
                                    status, told->count() / 1000));
  }
  say(Kind::kNetwork,
      problem_of(response) + (passes_later(response)
                                  ? ". Run it again when the network is better: what has come is "
                                    "kept."
                                  : ". Check HF_ENDPOINT and what stands between."));
  throw Error(Kind::kInternal, "unreachable");
}

bool HubConnection::sleep(milliseconds time) const {
  const auto until = std::chrono::steady_clock::now() + time;
  while (!stopped() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::min(time, milliseconds(50)));
  return !stopped();
}

}  // namespace tandem
