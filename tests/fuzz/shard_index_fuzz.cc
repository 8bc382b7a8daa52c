// Any bytes as the index of a sharded model: refused with an Error, or file names that stay in
// their folder.
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "core/safetensors_sharded.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto index = tandem::parse_shard_index(text, "input");
    for (const auto& [tensor, file] : index.weight_map) {
      if (file.find('/') != std::string::npos || file.starts_with('.')) std::abort();
    }
  } catch (const tandem::Error&) {
  }
  return 0;
}
