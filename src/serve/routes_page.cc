// The page and what keeps it from doing anything but its work: it loads only its own files, runs no
// text as code, is shown in nobody's frame, and tells no other site about itself.
#include <string>

#include "serve/page_files.h"
#include "serve/route.h"

namespace tandem::serve {
namespace {

// blob: and data: are pictures that people drop, and previews fetched with a key.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

// Whether a list of tags ("W/\"a\", \"b\"" or "*") has `etag`.
bool lists(std::string_view tags, std::string_view etag) {
  return tags == "*" || tags.find(etag) != std::string_view::npos;
}

Response index(Service&, const Request& request) { return page_answer("index.html", request); }

Response file(Service&, const Request& request) {
  return page_answer(request.captures.at("file"), request);
}

constexpr Route kRoutes[] = {
    {.method = "GET", .path = "/", .access = Access::kOpen, .run = index},
    {.method = "GET", .path = "/page/{file}", .access = Access::kOpen, .run = file},
};

}  // namespace

Response page_answer(std::string_view name, const Request& request) {
  for (const PageFile& file : page_files()) {
    if (file.name != name) continue;
    Response response;
    response.content_type = file.content_type;
    response.headers = {{"ETag", std::string(file.etag)},
                        {"Cache-Control", "no-cache"},
                        {"Content-Security-Policy", kPolicy},
                        {"X-Content-Type-Options", "nosniff"},
                        {"X-Frame-Options", "DENY"},
                        {"Referrer-Policy", "no-referrer"},
                        {"Cross-Origin-Opener-Policy", "same-origin"},
                        {"Cross-Origin-Resource-Policy", "same-origin"},
                        {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"}};
    if (lists(request.header("if-none-match"), file.etag)) {
      response.status = 304;
    } else {
      response.body.assign(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
    }
    return response;
  }
  throw HttpError(404, "not_found", "The page has no such file.");
}

std::span<const Route> page_routes() { return kRoutes; }

}  // namespace tandem::serve
