// Pictures as requests name them: a data URI, plain base64, or an address.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace tandem::serve {

struct PictureSourceOptions {
  std::size_t max_bytes = 0;
  bool fetch_urls = false;
};

// "data:image/png;base64,…", base64, or http(s)://… where that is on: only from public addresses,
// within 10 s. Throws HttpError 400 "url_forbidden" (one text for every cause: answers must not
// tell what is reachable from here), 413, 422.
std::vector<std::byte> picture_from(const std::string& source, const PictureSourceOptions& options);

}  // namespace tandem::serve
