// Which tokenizer a checkpoint was trained with, and where its file is.
#pragma once

#include <filesystem>
#include <memory>

#include "model/config.h"
#include "preprocess/tokenizer_spec.h"

namespace tandem {

struct TokenizerChoice {
  TokenizerSpec spec;
  std::filesystem::path file;
};

// The tokenizer of the checkpoint at `model` (a folder or a file, as load_checkpoint takes), as its
// reference implementation would choose it:
// - open_clip's models: CLIP's byte pairs from `assets` unless the configuration names another
//   (hf_tokenizer_name), whose tokenizer.json, or SentencePiece model, is beside the weights.
// - transformers' (config.json without open_clip_config.json): spiece.model for SigLIP,
//   tokenizer.json otherwise; for CLIP without one, CLIP's byte pairs.
// tokenizer_config.json: add_bos_token, add_eos_token, do_lower_case, model_max_length and the
// padding and separator tokens are honoured; padding or truncation on the left is refused.
// Throws kNotFound naming the file that was expected and how to get it, kUnsupported, kCorrupt.
TokenizerChoice choose_tokenizer(const ModelConfig& config, const std::filesystem::path& model,
                                 const std::filesystem::path& assets);

// Makes it. Also throws what make_tokenizer does.
std::unique_ptr<Tokenizer> load_tokenizer(const ModelConfig& config,
                                          const std::filesystem::path& model,
                                          const std::filesystem::path& assets);

}  // namespace tandem
