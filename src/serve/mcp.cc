#include "serve/mcp.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fmt/format.h>
#include <istream>
#include <ostream>

#include "tandem/error.h"

#include "serve/answer_json.h"
#include "serve/answers.h"
#include "serve/mcp_tools.h"

namespace tandem::serve {
namespace {

// Newest first: the first is offered to clients that ask for one that is not known.
constexpr std::array<std::string_view, 4> kVersions = {"2025-11-25", "2025-06-18", "2025-03-26",
                                                       "2024-11-05"};
constexpr std::string_view kBatchVersion = "2025-03-26";  // the only one with batches
constexpr std::size_t kMostBatch = 32;
constexpr std::size_t kMostShown = 100;  // bytes of a client's own words in an error
constexpr std::chrono::seconds kCallTime{60};

// JSON-RPC 2.0, section 5.1.
enum Code {
  kParseError = -32700,
  kInvalidRequest = -32600,
  kMethodNotFound = -32601,
  kInvalidParams = -32602,
};

struct RpcError {
  Code code;
  std::string message;
};

json::value error_message(const json::value& id, const RpcError& error) {
  return json::object{
      {"jsonrpc", "2.0"},
      {"id", id},
      {"error", {{"code", static_cast<int>(error.code)}, {"message", error.message}}}};
}

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* v = object.if_contains(key);
  if (v == nullptr || !v->is_string()) return {};
  return {v->get_string().data(), v->get_string().size()};
}

// The id of a request; nothing for what has none or a wrong one.
const json::value* id_of(const json::object& message) {
  const json::value* id = message.if_contains("id");
  return id != nullptr && (id->is_string() || id->is_number()) ? id : nullptr;
}

json::object text_content(const std::string& text) { return {{"type", "text"}, {"text", text}}; }

json::object tool_json(const Tool& tool) {
  return {{"name", tool.name},
          {"title", tool.title},
          {"description", tool.description},
          {"inputSchema", json::parse(tool.input_schema, std::string(tool.name))},
          {"outputSchema", json::parse(tool.output_schema, std::string(tool.name))},
          {"annotations", {{"readOnlyHint", true}, {"openWorldHint", false}}}};
}

json::value tools_list() {
  json::array tools;
  for (const Tool& tool : mcp_tools()) tools.push_back(tool_json(tool));
  return json::object{{"tools", std::move(tools)}};
}

json::value tool_result(const ToolAnswer& answer) {
  json::array content;
  content.push_back(text_content(answer.text));
  if (!answer.jpeg.empty())
    content.push_back(
        json::object{{"type", "image"}, {"data", base64(answer.jpeg)}, {"mimeType", "image/jpeg"}});
  return json::object{{"content", std::move(content)},
                      {"structuredContent", answer.structured},
                      {"isError", false}};
}

}  // namespace

std::optional<std::string> McpSession::answer(std::string_view message) {
  json::value parsed;
  try {
    parsed = json::parse(message, "message", 1'000'000);
  } catch (const Error& error) {
    return json::dump(error_message(nullptr, {kParseError, error.what()}));
  }
  if (!parsed.is_array()) {
    const auto one = answer_one(parsed);
    return one ? std::optional(json::dump(*one)) : std::nullopt;
  }
  const json::array& batch = parsed.get_array();
  if (version_ != kBatchVersion || batch.empty() || batch.size() > kMostBatch)
    return json::dump(error_message(nullptr, {kInvalidRequest, "Expected one message a line."}));
  json::array answers;
  for (const json::value& one : batch)
    if (auto answer = answer_one(one)) answers.push_back(*std::move(answer));
  if (answers.empty()) return std::nullopt;
  return json::dump(answers);
}

std::optional<json::value> McpSession::answer_one(const json::value& message) {
  const json::object* object = message.if_object();
  if (object == nullptr || text_of(*object, "jsonrpc") != "2.0")
    return error_message(nullptr, {kInvalidRequest, "Expected a JSON-RPC 2.0 message."});
  const json::value* id = id_of(*object);
  const std::string method = text_of(*object, "method");
  if (method.empty()) {
    if (object->contains("result") || object->contains("error")) return std::nullopt;
    return error_message(id == nullptr ? json::value(nullptr) : *id,
                         {kInvalidRequest, "method: expected a text."});
  }
  if (id == nullptr) {
    if (!object->contains("id")) return std::nullopt;  // a notification
    return error_message(nullptr, {kInvalidRequest, "id: expected a text or a number."});
  }
  try {
    return json::object{{"jsonrpc", "2.0"},
                        {"id", *id},
                        {"result", result_of(method, object->if_contains("params"))}};
  } catch (const RpcError& error) {
    return error_message(*id, error);
  }
}

json::value McpSession::result_of(const std::string& method, const json::value* params) {
  if (params != nullptr && !params->is_object())
    throw RpcError{kInvalidParams, "params: expected an object."};
  if (method == "initialize") return initialize(params);
  if (method == "ping") return json::object();
  if (method == "tools/list") return tools_list();
  if (method == "tools/call") return call_tool(params);
  throw RpcError{kMethodNotFound, "No such method: " + method.substr(0, kMostShown)};
}

json::value McpSession::initialize(const json::value* params) {
  const std::string asked =
      params == nullptr ? "" : text_of(params->get_object(), "protocolVersion");
  if (asked.empty()) throw RpcError{kInvalidParams, "protocolVersion: expected a text."};
  const bool known = std::find(kVersions.begin(), kVersions.end(), asked) != kVersions.end();
  version_ = known ? asked : std::string(kVersions.front());
  return json::object{
      {"protocolVersion", version_},
      {"capabilities", {{"tools", {{"listChanged", false}}}}},
      {"serverInfo", {{"name", "tandem"}, {"title", "Tandem"}, {"version", "0.1.0"}}},
      {"instructions",
       "Finds pictures and texts of local collections by what they show. Start with "
       "list_collections or search; show_item returns a picture to look at."}};
}

json::value McpSession::call_tool(const json::value* params) {
  const std::string name = params == nullptr ? "" : text_of(params->get_object(), "name");
  const auto tools = mcp_tools();
  const auto tool =
      std::find_if(tools.begin(), tools.end(), [&](const Tool& row) { return row.name == name; });
  if (tool == tools.end())
    throw RpcError{kInvalidParams, "Unknown tool: " + name.substr(0, kMostShown)};
  const json::value* given = params->get_object().if_contains("arguments");
  const json::value arguments = given == nullptr ? json::value(json::object()) : *given;
  Request request;
  request.id = fmt::format("mcp-{}", ++calls_);
  request.received = Clock::now();
  request.deadline = request.received + kCallTime;
  try {
    return tool_result(tool->run(service_, arguments, request));
  } catch (...) {
    // What goes wrong inside a tool is an answer that the assistant reads and learns from.
    const HttpError error = http_error(std::current_exception());
    json::array content;
    content.push_back(text_content(error.what()));
    return json::object{{"content", std::move(content)}, {"isError", true}};
  }
}

namespace {

// A line without its end; nothing at the end of `in`. Of a line that is too long, only so much that
// it can be told.
std::optional<std::string> read_line(std::istream& in) {
  std::string line;
  char c = 0;
  std::streambuf& bytes = *in.rdbuf();
  while (true) {
    const int next = bytes.sbumpc();
    if (next == std::char_traits<char>::eof())
      return line.empty() ? std::nullopt : std::optional(std::move(line));
    c = static_cast<char>(next);
    if (c == '\n') break;
    if (line.size() <= kMostMessageBytes) line += c;
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line;
}

}  // namespace

void serve_mcp(Service& service, std::istream& in, std::ostream& out) {
  McpSession session(service);
  while (auto line = read_line(in)) {
    if (line->empty()) continue;
    const auto answer =
        line->size() > kMostMessageBytes
            ? json::dump(error_message(nullptr, {kInvalidRequest, "Expected at most 32 MiB."}))
            : session.answer(*line);
    if (!answer) continue;
    out << *answer << '\n';
    out.flush();
    if (!out) return;
  }
}

}  // namespace tandem::serve
