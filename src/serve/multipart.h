// Forms with files, as browsers and immich send them (RFC 7578). In the shape of RFC 2046:
//   body := [preamble CRLF] "--" boundary CRLF part (CRLF "--" boundary CRLF part)*
//           CRLF "--" boundary "--" [CRLF epilogue]
//   part := (header CRLF)* CRLF bytes
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tandem::serve {

struct FormPart {
  std::string name;
  std::string file_name;     // empty: none
  std::string content_type;  // empty: none
  std::string_view bytes;    // of the body given
};

// content_type: the request's header. Throws HttpError: 415 when it is not multipart/form-data with
// a boundary, 400 for a body that breaks the rules, more than 16 parts, or 4 KiB of headers before
// a part. Time is linear in the body. The body must outlive the parts.
std::vector<FormPart> parse_form(std::string_view content_type, std::string_view body);

// The first part of that name, or null.
const FormPart* find_part(const std::vector<FormPart>& parts, std::string_view name);

}  // namespace tandem::serve
