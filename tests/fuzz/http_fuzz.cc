// What stands between a socket and a route: head, target, route, body, hosts, and the answer's
// text.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "serve/answer_text.h"
#include "serve/base64.h"
#include "serve/body.h"
#include "serve/head.h"
#include "serve/hosts.h"
#include "serve/router.h"
#include "serve/target.h"

namespace {

using namespace tandem::serve;

Response none(Service&, const Request&) { return {}; }

constexpr Route kRoutes[] = {{"GET", "/", Access::kOpen, 0, none},
                             {"POST", "/v1/search", Access::kRead, 1000, none},
                             {"GET", "/v1/items/{id}/preview", Access::kRead, 0, none},
                             {"DELETE", "/v1/items/{id}", Access::kWrite, 0, none}};
constexpr std::array<std::span<const Route>, 1> kTables = {kRoutes};

void check(bool holds) {
  if (!holds) std::abort();
}

// The same body however its bytes are cut.
void read_body(const Head& head, std::string_view head_text, std::string_view rest) {
  constexpr std::size_t kLimit = 4096;
  Body whole(head, head_text, kLimit);
  std::size_t taken = 0;
  const auto at = whole.take(rest, taken);
  check(taken <= rest.size() && whole.text().size() <= kLimit + head.content_length.value_or(0));
  Body cut(head, head_text, kLimit);
  auto state = Body::State::kMore;
  std::size_t begin = 0;
  for (std::size_t end = 1; end <= rest.size() && state == Body::State::kMore; ++end) {
    std::size_t used = 0;
    state = cut.take(rest.substr(begin, end - begin), used);
    begin += used;
  }
  if (at == Body::State::kDone) {
    check(state == Body::State::kDone && begin == taken && cut.text() == whole.text());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static const Router router(kTables);
  static const Hosts hosts("127.0.0.1", {"example.org"});
  base64_decoded(bytes);
  HeadScanner scanner{HeadLimits{}};
  const auto found = scanner.scan(bytes);
  HeadScanner slow{HeadLimits{}};
  std::size_t found_slowly = 0;
  for (std::size_t i = 1; i <= size && found_slowly == 0 && !slow.fault(); ++i) {
    found_slowly = slow.scan(bytes.substr(0, i));
  }
  check(found == found_slowly || scanner.fault() || slow.fault());
  if (found == 0 || scanner.fault()) return 0;
  HeadFault fault;
  const auto head = read_head(bytes.substr(0, found), fault);
  if (!head) {
    check(fault.status >= 400);
    return 0;
  }
  check(!(head->chunked && head->content_length));
  if (const auto target = parse_target(head->target)) {
    const auto match = router.match(head->method, target->path);
    check(match.route == nullptr || !match.allowed.empty());
    wire_text({.body = target->path}, {.request_id = target->path, .cors_origin = target->host});
  }
  if (const auto host = head->fields.find("host"); host != head->fields.end()) {
    hosts.is_allowed(host->second);
    is_same_origin(host->second, host->second);
    forwarded_peer("127.0.0.1", host->second, {"127.0.0.1"});
  }
  if (head->has_body() && head->content_length.value_or(0) <= 4096) {
    read_body(*head, bytes.substr(0, found), bytes.substr(found));
  }
  return 0;
}
