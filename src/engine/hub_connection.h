// A hub as a place to ask: its addresses, when to try again, and what its refusals mean.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>

#include "core/http_client.h"
#include "core/log.h"

namespace tandem {

struct HubOptions {
  std::string endpoint = "https://huggingface.co";  // http:// only when it says so itself
  std::string token;                                // sent to the endpoint only
  std::filesystem::path cache;                      // as hub_cache.h describes it
  bool offline = false;
  int retries = 5;                            // in a row without progress
  std::chrono::milliseconds retry_wait{100};  // four times as long each time
  std::chrono::milliseconds answer_timeout{10'000};
  std::chrono::milliseconds stall_timeout{10'000};
  const std::atomic<bool>* stop = nullptr;
  Log log;  // retries, waits
};

class HubConnection {
 public:
  // `options` is borrowed. Throws kInput when the endpoint is not an http(s) address.
  explicit HubConnection(const HubOptions& options);

  std::string listing_url(const std::string& repository, const std::string& revision) const;
  std::string file_url(const std::string& repository, const std::string& revision,
                       const std::string& file) const;

  // One try.
  HttpResponse once(HttpRequest request, const HttpBody& body = {});
  // Tries until an answer comes that more tries would not change. `what` names it in messages.
  // `text` gets the body, of at most 16 MiB. An interrupted answer is returned.
  HttpResponse ask(const HttpRequest& request, const std::string& what,
                   std::string* text = nullptr);

  // After a try that brought no answer worth having: waits and returns, or throws as fail() does
  // when that is no use. Returns false when interrupted.
  bool wait(const HttpResponse& response, const std::string& what, int& failures);
  // kNotFound for what is not there, kNetwork for everything else.
  [[noreturn]] void fail(const HttpResponse& response, const std::string& what) const;
  const Log& log() const { return options_.log; }
  bool stopped() const { return options_.stop != nullptr && *options_.stop; }

 private:
  bool sleep(std::chrono::milliseconds time) const;  // false when interrupted
  const HubOptions& options_;
  HttpClient client_;
};

}  // namespace tandem
