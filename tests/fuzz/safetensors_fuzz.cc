// Any bytes as a safetensors file: refused with an Error, or views that can all be read.
#include <cstdint>

#include "core/error.h"
#include "core/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto file = tandem::parse_safetensors(std::as_bytes(std::span(data, size)), "input");
    for (const auto& [name, view] : file.map.tensors) tandem::to_float(view);
  } catch (const tandem::Error&) {
  }
  return 0;
}
