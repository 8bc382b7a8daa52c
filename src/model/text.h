// CLIP's text transformer and its variants (open_clip TextTransformer). Ragged under the causal
// mask: no row is padding, which is exact because nothing after end of text can reach it.
// Bidirectional towers see their padding, so their segments are padded (TextConfig::reads_padding).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/transformer.h"

namespace tandem {

// The row of each segment that a tower pools. Requires: no empty segment.
std::vector<std::int32_t> pooled_rows(const TokenBatch& tokens, const TextConfig& config);

template <Backend B>
class TextTransformer {
 public:
  using Tensor = typename B::Tensor;

  TextTransformer(typename B::Loader& load, const ModelConfig& config)
      : config_(config.text),
        token_embedding_(load.table(config.text_scope() + "token_embedding.weight")),
        positional_embedding_(load.table(config.text_scope() + "positional_embedding")),
        transformer_(load, config.text_scope() + "transformer.",
                     {.layers = config_.layers,
                      .width = config_.width,
                      .heads = config_.heads,
                      .activation = config.text_activation(),
                      .layer_scale = config_.layer_scale.has_value(),
                      .mask = config_.causal ? Mask::kCausal : Mask::kNone,
                      .eps = config_.eps},
                     /*pooled=*/true),
        ln_final_(load.norm({.prefix = config.text_scope() + "ln_final", .eps = config_.eps})) {
    if (config_.projection) text_projection_.emplace(load.linear(projection(config)));
  }

  // Requires: under the causal mask, each segment ends with the end-of-text id, its only one; else
  // each has context_length rows. Returns (B,E), not normalised.
  Tensor run(B& b, const TokenBatch& tokens) const {
    const Segments segments = Segments::of(tokens);
    Tensor x = b.embed_tokens(tokens, token_embedding_, positional_embedding_);
    x = transformer_.run_pooled(b, std::move(x), segments, pooled_rows(tokens, config_));
    x = b.layer_norm(x, ln_final_);
    return text_projection_ ? b.linear(x, *text_projection_, Activation::kNone) : std::move(x);
  }

 private:
  // A matrix (width, E), or with a bias a Linear.
  static LinearSpec projection(const ModelConfig& config) {
    const std::string name = config.text_scope() + "text_projection";
    if (!config.text.projection_bias) return {.weight = name, .transposed = true};
    return {.weight = name + ".weight", .bias = name + ".bias"};
  }

  TextConfig config_;
  typename B::Table token_embedding_;
  typename B::Table positional_embedding_;
  Transformer<B> transformer_;
  typename B::Norm ln_final_;
  std::optional<typename B::Linear> text_projection_;
};

}  // namespace tandem
