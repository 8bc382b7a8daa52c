// Weights cut into several safetensors files beside an index, as transformers writes large models:
//   index := {"metadata": {"total_size": bytes}?, "weight_map": {tensor: shard file, …}}
// Shard files lie in the index's folder; names that lead elsewhere are refused.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/safetensors.h"

namespace tandem {

struct ShardIndex {
  std::map<std::string, std::string, std::less<>> weight_map;  // tensor -> file name
  std::optional<std::uint64_t> total_size_bytes;
};

// Throws kCorrupt naming the rule broken: a file name that is not plain or not *.safetensors, no
// tensors, more than 100,000 tensors or 1,000 shards.
ShardIndex parse_shard_index(std::string_view text, const std::string& name);

// All shards as one map; the mappings are among its owners. Every tensor lies in exactly the shard
// that the index names, and no shard holds another. Throws kNotFound for a missing shard, kCorrupt.
SafeTensors read_sharded_safetensors(const std::filesystem::path& index);

// FOLDER/STEM.safetensors, else FOLDER/STEM.safetensors.index.json with its shards. Throws
// kNotFound when neither is there.
SafeTensors read_safetensors_folder(const std::filesystem::path& folder, const std::string& stem);

}  // namespace tandem
