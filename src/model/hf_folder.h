// A model's folder as transformers writes it: config.json, preprocessor_config.json, and
// model.safetensors or its shards. What the dialects of its models share.
#pragma once

#include <filesystem>
#include <string>

#include "core/json.h"
#include "model/checkpoint.h"

namespace tandem {

// Reads the folder's three parts with a dialect's own words for config.json and for tensors. Throws
// as read_hf_preprocess and read_safetensors_folder do; kUnsupported where there is only a pickle.
Checkpoint read_hf_folder(const std::filesystem::path& folder,
                          ModelConfig (*parse)(const json::value& v, const std::string& where),
                          TensorMap (*rename)(const TensorMap& theirs, const ModelConfig& config,
                                              const std::string& where));

// Writes it, config.json last.
void write_hf_folder(const std::filesystem::path& folder, const TensorMap& weights,
                     const json::object& preprocess, const json::object& config);

// An mlp_ratio that gives exactly `hidden` when multiplied by the width and truncated.
double ratio_for(int hidden, int width);

}  // namespace tandem
