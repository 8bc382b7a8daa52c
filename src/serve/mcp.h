// Tandem as tools for an assistant: the Model Context Protocol (JSON-RPC 2.0, one message a line)
// over standard input and output. Source: modelcontextprotocol.io/specification/2025-06-18.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"
#include "serve/service.h"

namespace tandem::serve {

// One conversation. For one thread.
class McpSession {
 public:
  explicit McpSession(Service& service) : service_(service) {}
  // A message, or (2025-03-26) a batch of them. Nothing for what is not answered: notifications
  // and answers. Never throws for what a client sends.
  std::optional<std::string> answer(std::string_view message);

 private:
  std::optional<json::value> answer_one(const json::value& message);
  json::value result_of(const std::string& method, const json::value* params);
  json::value initialize(const json::value* params);
  json::value call_tool(const json::value* params);

  Service& service_;
  std::string version_;  // agreed on; empty: not yet
  std::size_t calls_ = 0;
};

inline constexpr std::size_t kMostMessageBytes = std::size_t{32} << 20;

// Answers until the end of `in`. Only messages are written to `out`.
void serve_mcp(Service& service, std::istream& in, std::ostream& out);

}  // namespace tandem::serve
