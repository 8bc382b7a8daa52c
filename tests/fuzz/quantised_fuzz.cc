// Any bytes as a quantised model's file: refused with an Error, or floats of what it says.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "core/error.h"
#include "core/safetensors.h"
#include "model/quantised.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto file = tandem::parse_safetensors(std::as_bytes(std::span(data, size)), "input");
    tandem::check_quantised_scheme(file.metadata, "input");
    const auto form = tandem::quantised_form(file.map, "input");
    if (tandem::dequantised(file.map).tensors.size() != form.tensors.size()) std::abort();
  } catch (const tandem::Error&) {
  }
  return 0;
}
