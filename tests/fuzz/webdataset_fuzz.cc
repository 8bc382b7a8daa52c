// Any bytes as a shard: samples lie inside of it and are read or refused with an Error.
#include <cstdint>

#include "core/error.h"
#include "data/webdataset.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto tar = std::as_bytes(std::span(data, size));
  const auto index = tandem::index_shard(tar, "input");
  for (const auto& sample : index.samples) {
    try {
      tandem::read_sample(tar, sample);
    } catch (const tandem::Error&) {
    }
  }
  return 0;
}
