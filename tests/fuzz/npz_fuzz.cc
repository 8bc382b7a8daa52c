// Any bytes as a .npz archive: refused with an Error, or arrays whose bytes fit their shapes.
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "core/npz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto map = tandem::parse_npz(std::as_bytes(std::span(data, size)), "input");
    for (const auto& [name, view] : map.tensors) {
      const auto bytes = static_cast<std::size_t>(view.count()) * tandem::dtype_bytes(view.dtype);
      if (view.bytes.size() != bytes) std::abort();
      if (tandem::to_float(view).size() != static_cast<std::size_t>(view.count())) std::abort();
    }
  } catch (const tandem::Error&) {
  }
  return 0;
}
