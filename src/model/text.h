// CLIP's causal text transformer, pooled at end of text (open_clip CLIP.encode_text). Ragged: no
// row is padding, which is exact because under the causal mask nothing after end of text can reach
// it.
#pragma once

#include "model/transformer.h"

namespace tandem {

template <Backend B>
class TextTransformer {
 public:
  using Tensor = typename B::Tensor;

  TextTransformer(typename B::Loader& load, const ModelConfig& config)
      : token_embedding_(load.table("token_embedding.weight")),
        positional_embedding_(load.table("positional_embedding")),
        transformer_(load, "transformer.",
                     {.layers = config.text.layers,
                      .width = config.text.width,
                      .heads = config.text.heads,
                      .activation = config.activation(),
                      .layer_scale = config.text.layer_scale.has_value(),
                      .mask = Mask::kCausal},
                     /*pooled=*/true),
        ln_final_(load.norm("ln_final")),
        text_projection_(load.linear({.weight = "text_projection", .transposed = true})) {}

  // Requires: each segment ends with the end-of-text id, its only one. Returns (B,E), not
  // normalised.
  Tensor run(B& b, const TokenBatch& tokens) const {
    const Segments segments = Segments::of(tokens);
    Tensor x = b.embed_tokens(tokens, token_embedding_, positional_embedding_);
    x = transformer_.run_pooled(b, std::move(x), segments, segments.last_rows());
    return b.linear(b.layer_norm(x, ln_final_), text_projection_, Activation::kNone);
  }

 private:
  typename B::Table token_embedding_;
  typename B::Table positional_embedding_;
  Transformer<B> transformer_;
  typename B::Norm ln_final_;
  typename B::Linear text_projection_;
};

}  // namespace tandem
