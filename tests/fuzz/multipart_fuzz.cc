// Any bytes as a form: refused with an HttpError, or parts that lie within the body. The first line
// of the input is the Content-Type.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "serve/message.h"
#include "serve/multipart.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  const bool named = line != std::string_view::npos;
  const std::string_view type =
      named ? input.substr(0, line) : std::string_view("multipart/form-data; boundary=x");
  const std::string_view body = named ? input.substr(line + 1) : input;
  try {
    for (const auto& part : tandem::serve::parse_form(type, body)) {
      const bool inside = part.bytes.data() >= body.data() &&
                          part.bytes.data() + part.bytes.size() <= body.data() + body.size();
      if (!inside || part.name.empty()) std::abort();
    }
  } catch (const tandem::serve::HttpError&) {
  }
  return 0;
}
