// Any text as a query: refused with an Error, or its own text reads back as the same query.
#include <cstdint>
#include <cstdlib>

#include "tandem/error.h"

#include "tasks/query.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tandem::Query query;
  try {
    query = tandem::parse_query({reinterpret_cast<const char*>(data), size});
  } catch (const tandem::Error&) {
    return 0;
  }
  const auto text = tandem::to_text(query);
  if (tandem::parse_query(text) != query) std::abort();
  if (tandem::to_text(tandem::parse_query(text)) != text) std::abort();
  return 0;
}
