// An answer as it goes over the wire.
#pragma once

#include <string>
#include <string_view>

#include "serve/message.h"

namespace tandem::serve {

struct WireOptions {
  bool keep_alive = true;
  bool head_only = false;  // of HEAD: the length is told, the body is not sent
  std::string_view request_id;
  std::string_view cors_origin;  // that may read it; empty: none
};

// Status line, headers (those of `answer`, and what belongs on every answer: length, request id,
// nosniff, no framing, no referrer, a policy that runs nothing, no-store unless the route says
// otherwise) and body. Headers that would break the line are left out.
std::string wire_text(const Response& answer, const WireOptions& options);

}  // namespace tandem::serve
