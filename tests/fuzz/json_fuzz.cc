// Any bytes as JSON: refused with an Error, or a value whose text reads back as the same value.
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "core/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace json = tandem::json;
  json::value value;
  try {
    value = json::parse({reinterpret_cast<const char*>(data), size}, "input");
  } catch (const tandem::Error&) {
    return 0;
  }
  if (json::parse(json::dump(value), "dumped") != value) std::abort();
  if (json::parse(json::pretty(value), "pretty") != value) std::abort();
  return 0;
}
