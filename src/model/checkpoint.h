// A model on disk: a folder with open_clip_config.json + open_clip_model.safetensors, or one
// .safetensors that carries both configs in its metadata. Never pickle.
#pragma once

#include <filesystem>
#include <string>

#include "core/tensor.h"
#include "model/config.h"

namespace tandem {

struct Checkpoint {
  std::string name;  // folder or file stem
  ModelConfig config;
  TensorMap weights;  // OpenCLIP names; mapped, not copied

  // 16 hex digits of a hash over config and weights: identifies the space of the embeddings. Reads
  // every weight.
  std::string fingerprint() const;
};

// Throws kNotFound, kCorrupt, or kUnsupported (.pt, .bin: names the one-line command that converts
// it elsewhere).
Checkpoint load_checkpoint(const std::filesystem::path& path);

// Writes both files atomically, config last. dtype of the stored floats: kF32, kF16 or kBF16.
void save_checkpoint(const std::filesystem::path& dir, const ModelConfig& config,
                     const TensorMap& weights, DType dtype,
                     const std::map<std::string, std::string>& metadata = {});

}  // namespace tandem
