#include "serve/answers.h"

#include "tandem/error.h"

#include "core/json.h"

namespace tandem::serve {
namespace {

HttpError by_kind(const Error& error) {
  const std::string text = error.what();
  switch (error.kind()) {
    case Kind::kInput:
      return {400, "invalid_request", text};
    case Kind::kNotFound:
      return {404, "not_found", text.find('/') == std::string::npos ? text : "it is not there"};
    case Kind::kUnsupported:
      return {422, "unprocessable", text};
    case Kind::kCorrupt:  // what requests bring is judged by routes: this is what we stored
      return {500, "damaged", "what is stored here is damaged"};
    case Kind::kNetwork:
      return {502, "upstream_failed", "a server that this answer needs did not answer as expected"};
    case Kind::kIo:
      if (text.find("No space left") != std::string::npos ||
          text.find("disk is full") != std::string::npos) {
        return {507, "storage_full", "the disk is full: nothing was stored"};
      }
      return {500, "internal_error", "reading or writing failed on the server"};
    case Kind::kInternal:
      break;
  }
  return {500, "internal_error", "something went wrong on the server"};
}

// TEI's own words for its classes of errors.
std::string_view tei_type(int status) {
  if (status == 429) return "Overloaded";
  if (status == 503) return "Unhealthy";
  if (status == 413 || status == 422) return "Validation";
  if (status == 424 || status >= 500) return "Backend";
  return "Validation";
}

std::string tandem_body(const HttpError& error, const std::string& request_id) {
  json::object inner{{"code", error.status()}, {"type", error.type()}, {"message", error.what()}};
  if (error.param()) {
    inner["param"] = *error.param();
  } else {
    inner["param"] = nullptr;
  }
  return json::dump(json::object{{"error", std::move(inner)}, {"request_id", request_id}});
}

}  // namespace

HttpError http_error(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const HttpError& error) {
    return error;
  } catch (const Error& error) {
    return by_kind(error);
  } catch (const std::bad_alloc&) {
    return {503, "overloaded", "not enough memory for this request now", std::nullopt, 1};
  } catch (...) {
    return {500, "internal_error", "something went wrong on the server"};
  }
}

Response error_answer(const HttpError& error, ErrorShape shape, const std::string& request_id) {
  Response answer;
  answer.status = error.status();
  switch (shape) {
    case ErrorShape::kTandem:
      answer.body = tandem_body(error, request_id);
      break;
    case ErrorShape::kTei:
      answer.body = json::dump(
          json::object{{"error", error.what()}, {"error_type", tei_type(error.status())}});
      break;
    case ErrorShape::kPlain:
      answer.content_type = "text/plain; charset=utf-8";
      answer.body = error.what();
      break;
  }
  if (error.retry_after_s() > 0) {
    answer.headers.emplace_back("Retry-After", std::to_string(error.retry_after_s()));
  }
  if (error.status() == 401) answer.headers.emplace_back("WWW-Authenticate", "Bearer");
  return answer;
}

std::string_view reason_of(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 424:
      return "Failed Dependency";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Unknown";
  }
}

}  // namespace tandem::serve
