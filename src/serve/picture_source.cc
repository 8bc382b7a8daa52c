#include "serve/picture_source.h"

#include <fmt/format.h>

#include "core/http_client.h"
#include "serve/base64.h"
#include "serve/message.h"

namespace tandem::serve {
namespace {

// Source: reliability.md section 2.
constexpr std::chrono::seconds kFetchTime{10};
constexpr std::chrono::seconds kConnectTime{5};
constexpr std::chrono::seconds kStallTime{5};

HttpError too_large(std::size_t max_bytes) {
  return {413, "too_large", fmt::format("a picture may have at most {} bytes", max_bytes)};
}

std::vector<std::byte> from_base64(std::string_view text, std::size_t max_bytes) {
  if (text.size() / 4 > max_bytes / 3) throw too_large(max_bytes);
  auto bytes = base64_decoded(text);
  if (!bytes) {
    throw HttpError(422, "undecodable_image", "expected base64, or data:image/…;base64,…");
  }
  if (bytes->size() > max_bytes) throw too_large(max_bytes);
  return *std::move(bytes);
}

std::vector<std::byte> fetched(const std::string& url, const PictureSourceOptions& options) {
  HttpError forbidden(400, "url_forbidden", "this picture cannot be fetched by its address");
  if (!options.fetch_urls) throw forbidden;
  HttpOptions client_options;
  client_options.plain_http = true;
  client_options.only_public = true;
  client_options.connect_timeout = kConnectTime;
  client_options.stall_timeout = kStallTime;
  client_options.total_timeout = kFetchTime;
  client_options.most_body_bytes = options.max_bytes;
  HttpClient client(client_options);
  std::vector<std::byte> bytes;
  const auto answer =
      client.send({.url = url}, [&](const HttpResponse&, std::span<const std::byte> piece) {
        bytes.insert(bytes.end(), piece.begin(), piece.end());
        return bytes.size() <= options.max_bytes;
      });
  if (!answer.ok() || bytes.empty()) throw forbidden;
  return bytes;
}

}  // namespace

std::vector<std::byte> picture_from(const std::string& source,
                                    const PictureSourceOptions& options) {
  if (source.starts_with("http://") || source.starts_with("https://")) {
    return fetched(source, options);
  }
  std::string_view text = source;
  if (text.starts_with("data:")) {
    const auto comma = text.find(',');
    const auto kind = text.substr(0, comma);
    const bool fits = comma != std::string_view::npos && kind.starts_with("data:image/") &&
                      kind.ends_with(";base64") && kind.size() < 100;
    if (!fits) throw HttpError(422, "undecodable_image", "expected data:image/…;base64,…");
    text.remove_prefix(comma + 1);
  }
  if (text.empty()) throw HttpError(422, "undecodable_image", "expected a picture, got nothing");
  return from_base64(text, options.max_bytes);
}

}  // namespace tandem::serve
