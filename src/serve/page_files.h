// The page's files, which are part of the program: the build makes page_files.cc from web/.
#pragma once

#include <span>
#include <string_view>

#include "serve/message.h"

namespace tandem::serve {

struct PageFile {
  std::string_view name;  // "main.js"
  std::string_view content_type;
  std::string_view etag;  // with its quotes; changes with the content
  std::span<const unsigned char> bytes;
};

std::span<const PageFile> page_files();

// Answers with the file, or with 304 where the browser has it. Browsers ask again each time, so a
// new program's page is seen at once. Throws HttpError 404.
Response page_answer(std::string_view name, const Request& request);

}  // namespace tandem::serve
