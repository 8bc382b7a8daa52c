// CoCa's decoder (Yu et al. 2022; open_clip MultimodalTransformer): causal blocks over a text's
// rows, each followed by one that attends to the picture's, and the next token's logits.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/transformer.h"

namespace tandem {

// Attention from a text's rows to a picture's, then an MLP (ResidualAttentionBlock with
// is_cross_attention).
template <Backend B>
class CrossBlock {
 public:
  using Tensor = typename B::Tensor;

  CrossBlock(typename B::Loader& load, const std::string& scope, const TransformerConfig& config)
      : heads_(config.heads),
        ln_1_(load.norm({.prefix = scope + "ln_1", .feeds_products = true})),
        ln_1_kv_(load.norm({.prefix = scope + "ln_1_kv", .feeds_products = true})),
        q_proj_(projection(load, scope, 0, config.width)),
        k_proj_(projection(load, scope, 1, config.width)),
        v_proj_(projection(load, scope, 2, config.width)),
        out_proj_(load.linear({.weight = scope + "attn.out_proj.weight",
                               .bias = scope + "attn.out_proj.bias",
                               .layer_scale = config.layer_scale ? scope + "ls_1.gamma" : ""})),
        mlp_(load, scope, config) {}

  // Keys and values of the pictures' rows (T,D).
  std::pair<Tensor, Tensor> keys_and_values(B& b, const Tensor& picture) const {
    const Tensor normed = b.layer_norm(picture, ln_1_kv_);
    Tensor k = b.linear(normed, k_proj_, Activation::kNone);
    return {std::move(k), b.linear(normed, v_proj_, Activation::kNone)};
  }

  // x: (T,D) -> (T,D). Segment i of x reads segment i of the keys.
  Tensor run(B& b, Tensor x, const Segments& segments, const std::pair<Tensor, Tensor>& picture,
             const Segments& picture_segments) const {
    const Tensor q = b.linear(b.layer_norm(x, ln_1_), q_proj_, Activation::kNone);
    const Tensor attended =
        b.cross_attention(q, segments, picture.first, picture.second, picture_segments, heads_);
    return mlp_.run(b, b.linear_add(attended, out_proj_, std::move(x)));
  }

 private:
  static typename B::Linear projection(typename B::Loader& load, const std::string& scope, int part,
                                       int width) {
    return load.linear({.weight = scope + "attn.in_proj_weight",
                        .bias = scope + "attn.in_proj_bias",
                        .begin = part * width,
                        .end = (part + 1) * width});
  }

  int heads_;
  typename B::Norm ln_1_;
  typename B::Norm ln_1_kv_;
  typename B::Linear q_proj_;
  typename B::Linear k_proj_;
  typename B::Linear v_proj_;
  typename B::Linear out_proj_;
  BlockMlp<B> mlp_;
};

template <Backend B>
class CocaDecoder {
 public:
  using Tensor = typename B::Tensor;

  // What all texts of a picture read: keys and values for each block, computed once.
  struct Picture {
    std::vector<std::pair<Tensor, Tensor>> layers;
    Segments segments;  // one
  };

  // Requires: config.multimodal.
  CocaDecoder(typename B::Loader& load, const ModelConfig& config)
      : ln_final_(load.norm({.prefix = "text_decoder.ln_final"})),
        text_projection_(
            load.linear({.weight = "text_decoder.text_projection", .transposed = true})) {
    const TransformerConfig shape{.layers = config.multimodal->layers,
                                  .width = config.multimodal->width,
                                  .heads = config.multimodal->heads,
                                  .activation = config.activation(),
                                  .layer_scale = config.multimodal->layer_scale.has_value(),
                                  .mask = Mask::kCausal};
    for (int i = 0; i < shape.layers; ++i) {
      const std::string block = std::to_string(i) + ".";
      blocks_.emplace_back(load, "text_decoder.resblocks." + block, shape, /*pooled=*/false);
      cross_.emplace_back(load, "text_decoder.cross_attn." + block, shape);
    }
  }

  // rows: one picture's, as VisionTransformer::run_tokens gives them.
  Picture picture(B& b, const Tensor& rows, int count) const {
    Picture p;
    p.segments = Segments::uniform(1, count);
    for (const auto& block : cross_) p.layers.push_back(block.keys_and_values(b, rows));
    return p;
  }

  // x: (B,D), the last rows of texts that all belong to the picture, as TextTransformer::run_next
  // gives them; past, segments, rows: as Resblock::run_next has them. Returns the scores of what
  // follows: (B,V).
  Tensor run_next(B& b, Tensor x, Past<B>& past, const Segments& segments,
                  std::span<const std::int32_t> rows, const Picture& picture) const {
    past.resize(blocks_.size());
    const Segments together = Segments::uniform(1, segments.count());
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      x = blocks_[i].run_next(b, std::move(x), past[i], segments, rows);
      x = cross_[i].run(b, std::move(x), together, picture.layers[i], picture.segments);
    }
    return b.scores(b.layer_norm(x, ln_final_), text_projection_);
  }

 private:
  std::vector<Resblock<B>> blocks_;
  std::vector<CrossBlock<B>> cross_;
  typename B::Norm ln_final_;
  typename B::Linear text_projection_;
};

}  // namespace tandem
