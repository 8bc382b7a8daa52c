// Any bytes as a .npy file: refused with an Error, or a matrix of the stated size.
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "data/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto matrix = tandem::parse_npy(std::as_bytes(std::span(data, size)), "input");
    if (matrix.values.size() != matrix.rows * matrix.cols) std::abort();
  } catch (const tandem::Error&) {
  }
  return 0;
}
