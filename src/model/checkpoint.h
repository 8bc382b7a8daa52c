// A model on disk, in any dialect. Tandem's own is open_clip's: a folder with open_clip_config.json
// and open_clip_model.safetensors, or one .safetensors that carries both configs in its metadata.
// Never pickle.
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

// Reads a model of any dialect (model/dialect.h) and checks its weights against its configuration.
// Throws kNotFound, kCorrupt, or kUnsupported (.pt, .bin: names the one-line command that converts
// it elsewhere).
Checkpoint load_checkpoint(const std::filesystem::path& path);

// Whether load_checkpoint would find a model there, by names and configuration alone: never throws.
bool is_model(const std::filesystem::path& path);

// Throws kUnsupported for a pickle file by its extension (.pt, .pth, .bin, .ckpt).
void refuse_pickle(const std::filesystem::path& path);

// The same tensors, floats in another float dtype (kF32, kF16, kBF16); integers stay as they are.
TensorMap with_dtype(const TensorMap& map, DType dtype);

// Writes both files of open_clip's dialect atomically, config last. dtype of the stored floats:
// kF32, kF16 or kBF16.
void save_checkpoint(const std::filesystem::path& dir, const ModelConfig& config,
                     const TensorMap& weights, DType dtype,
                     const std::map<std::string, std::string>& metadata = {});

}  // namespace tandem
