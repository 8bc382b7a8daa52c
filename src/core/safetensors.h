// safetensors reader and writer. Format:
//   file   := header_size:u64le header:json[header_size] data
//   header := {"__metadata__":{str:str}?, NAME:{"dtype":…, "shape":[…],
//   "data_offsets":[begin,end]}…}
// Rules (reference implementation 0.8 and reliability.md): header <= 100,000,000 bytes, starts with
// '{', may end in spaces; checked shape products; offsets contiguous from 0 to the end of the file,
// no hole, no overlap, no trailing byte; no duplicate key; <= 100,000 tensors, rank <= 8.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "core/tensor.h"

namespace tandem {

struct SafeTensors {
  TensorMap map;  // views into the mapped file; the mapping is among map.owners
  std::map<std::string, std::string> metadata;
};

// Maps and checks the file. Throws kNotFound, kIo, or kCorrupt naming the file, the tensor and the
// rule broken.
SafeTensors read_safetensors(const std::filesystem::path& path);

// The same over bytes that the caller keeps alive (fuzzing, tests).
SafeTensors parse_safetensors(std::span<const std::byte> bytes, const std::string& name);

// Writes atomically (aside, fsync, rename, fsync of the folder). Tensor data begins at a multiple
// of 64 bytes. Tensors are laid out by descending dtype size, then name, as the reference does.
void write_safetensors(const std::filesystem::path& path, const TensorMap& map,
                       const std::map<std::string, std::string>& metadata);

}  // namespace tandem
