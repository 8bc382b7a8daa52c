#include "serve/message.h"

namespace tandem::serve {

std::string Request::header(const std::string& lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? "" : found->second;
}

}  // namespace tandem::serve
