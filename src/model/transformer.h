// CLIP's pre-norm residual attention block (open_clip ResidualAttentionBlock), shared by the image
// and text towers.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/backend.h"
#include "model/token_merge.h"

namespace tandem {

struct TransformerConfig {
  int layers = 12;
  int width = 768;
  int heads = 12;
  Activation activation = Activation::kGelu;
  bool layer_scale = false;
  Mask mask = Mask::kNone;
  double eps = 1e-5;  // of the layer norms
};

// The second half of a block: x + c_proj(act(c_fc(ln_2(x)))).
template <Backend B>
class BlockMlp {
 public:
  using Tensor = typename B::Tensor;

  BlockMlp(typename B::Loader& load, const std::string& scope, const TransformerConfig& config)
      : activation_(config.activation),
        ln_2_(load.norm({.prefix = scope + "ln_2", .eps = config.eps, .feeds_products = true})),
        c_fc_(load.linear({.weight = scope + "mlp.c_fc.weight", .bias = scope + "mlp.c_fc.bias"})),
        c_proj_(load.linear({.weight = scope + "mlp.c_proj.weight",
                             .bias = scope + "mlp.c_proj.bias",
                             .layer_scale = config.layer_scale ? scope + "ls_2.gamma" : ""})) {}

  // x: (T,D) -> (T,D).
  Tensor run(B& b, Tensor x) const {
    const Tensor hidden = b.linear(b.layer_norm(x, ln_2_), c_fc_, activation_);
    return b.linear_add(hidden, c_proj_, std::move(x));
  }

 private:
  Activation activation_;
  typename B::Norm ln_2_;
  typename B::Linear c_fc_;
  typename B::Linear c_proj_;
};

template <Backend B>
class Resblock {
 public:
  using Tensor = typename B::Tensor;

  // `pooled`: the tower's last block, of which only one row a segment is wanted. Its projections
  // are then loaded apart.
  Resblock(typename B::Loader& load, const std::string& scope, const TransformerConfig& config,
           bool pooled)
      : heads_(config.heads),
        mask_(config.mask),
        ln_1_(load.norm({.prefix = scope + "ln_1", .eps = config.eps, .feeds_products = true})),
        out_proj_(load.linear({.weight = scope + "attn.out_proj.weight",
                               .bias = scope + "attn.out_proj.bias",
                               .layer_scale = config.layer_scale ? scope + "ls_1.gamma" : ""})),
        mlp_(load, scope, config) {
    const auto slice = [&](int begin, int end) {
      return load.linear({.weight = scope + "attn.in_proj_weight",
                          .bias = scope + "attn.in_proj_bias",
                          .begin = begin,
                          .end = end});
    };
    const int d = config.width;
    if (pooled) {
      in_proj_.push_back(slice(0, d));
      in_proj_.push_back(slice(d, 2 * d));
      in_proj_.push_back(slice(2 * d, 3 * d));
    } else {
      in_proj_.push_back(slice(0, 3 * d));
    }
  }

  // x: (T,D) -> (T,D).
  Tensor run(B& b, Tensor x, const Segments& segments) const {
    Tensor qkv = b.linear(b.layer_norm(x, ln_1_), in_proj_[0], Activation::kNone);
    Tensor attended = attend(b, qkv, segments);
    return mlp_.run(b, b.linear_add(attended, out_proj_, std::move(x)));
  }

  // x: (T,D) -> (B,D): only `rows`, one a segment, each of which sees its whole segment (the class
  // token; the end of text, last under the causal mask). Exact, and three quarters of the block's
  // work is saved.
  Tensor run_pooled(B& b, const Tensor& x, const Segments& segments,
                    std::span<const std::int32_t> rows) const {
    const Tensor normed = b.layer_norm(x, ln_1_);
    const Tensor q = b.linear(b.take_rows(normed, rows), in_proj_[0], Activation::kNone);
    const Tensor k = b.linear(normed, in_proj_[1], Activation::kNone);
    const Tensor v = b.linear(normed, in_proj_[2], Activation::kNone);
    Tensor attended = segments.shared() ? b.pool_attention(q, b.take_rows(k, segments.path),
                                                           b.take_rows(v, segments.path),
                                                           segments.paths(), heads_)
                                        : b.pool_attention(q, k, v, segments, heads_);
    return mlp_.run(b, b.linear_add(attended, out_proj_, b.take_rows(x, rows)));
  }

  // x: (B,D) -> (B,D), the rows that follow what `past` holds of each text. `past` becomes this
  // block's queries, keys and values of all of `segments`, whose rows are `rows` of what it held
  // with x's own behind it. Requires: constructed without pooled.
  Tensor run_next(B& b, Tensor x, std::optional<Tensor>& past, const Segments& segments,
                  std::span<const std::int32_t> rows) const {
    Tensor qkv = b.linear(b.layer_norm(x, ln_1_), in_proj_[0], Activation::kNone);
    past = past ? b.take_rows(b.join_rows(*past, qkv), rows) : std::move(qkv);
    // All rows attend again: little beside the matrix products, which are of the new ones.
    const Tensor attended = b.take_rows(attend(b, *past, segments), segments.last_rows());
    return mlp_.run(b, b.linear_add(attended, out_proj_, std::move(x)));
  }

  // As run(), with `count` rows of each segment merged after attention (model/token_merge.h).
  // Requires: a backend that merges; segments of one length, which are updated, as are the rows'
  // sizes.
  Tensor run_merged(B& b, Tensor x, Segments& segments, int count,
                    std::vector<float>& sizes) const {
    const Tensor qkv = b.linear(b.layer_norm(x, ln_1_), in_proj_[0], Activation::kNone);
    x = b.linear_add(attend(b, qkv, segments), out_proj_, std::move(x));
    if (count > 0) {
      x = b.merge_tokens(std::move(x), qkv, segments, heads_, count, sizes);
      segments = Segments::uniform(segments.count(), segments.max_length - count);
    }
    return mlp_.run(b, std::move(x));
  }

 private:
  Tensor attend(B& b, const Tensor& qkv, const Segments& segments) const {
    if (!segments.hidden.empty()) return b.masked_attention(qkv, segments, heads_, segments.hidden);
    if (!segments.shared()) return b.self_attention(qkv, segments, heads_, mask_);
    return b.take_rows(
        b.self_attention(b.take_rows(qkv, segments.path), segments.paths(), heads_, mask_),
        segments.own_rows_in_paths());
  }

  int heads_;
  Mask mask_;
  typename B::Norm ln_1_;
  std::vector<typename B::Linear> in_proj_;  // [qkv] or, in a pooled block, [q, k, v]
  typename B::Linear out_proj_;
  BlockMlp<B> mlp_;
};

// What blocks have read so far of texts that grow: one tensor a block, nothing before the first
// row.
template <Backend B>
using Past = std::vector<std::optional<typename B::Tensor>>;

// The stack of blocks. With `pooled`, the last block returns one row a segment.
template <Backend B>
class Transformer {
 public:
  using Tensor = typename B::Tensor;

  Transformer(typename B::Loader& load, const std::string& scope, const TransformerConfig& config,
              bool pooled)
      : pooled_(pooled) {
    for (int i = 0; i < config.layers; ++i) {
      const std::string block = scope + "resblocks." + std::to_string(i) + ".";
      blocks_.emplace_back(load, block, config, pooled && i + 1 == config.layers);
    }
  }

  // As run_pooled for the first row of each segment, merging up to `per_block` rows of each segment
  // in every block but the last. Requires: segments of one length; a backend that merges.
  Tensor run_merged(B& b, Tensor x, Segments segments, int per_block) const {
    std::vector<float> sizes(segments.rows(), 1.0F);
    for (std::size_t i = 0; i + 1 < blocks_.size(); ++i) {
      const int count = mergeable(segments.max_length, per_block);
      x = blocks_[i].run_merged(b, std::move(x), segments, count, sizes);
    }
    return blocks_.back().run_pooled(b, x, segments, segments.first_rows());
  }

  // x: (T,D) -> (B,D), the given row of each segment. Requires: constructed with pooled.
  Tensor run_pooled(B& b, Tensor x, const Segments& segments,
                    std::span<const std::int32_t> rows) const {
    for (std::size_t i = 0; i + 1 < blocks_.size(); ++i)
      x = blocks_[i].run(b, std::move(x), segments);
    return blocks_.back().run_pooled(b, x, segments, rows);
  }

  // x: (T,D) -> (T,D). Requires: constructed without pooled.
  Tensor run(B& b, Tensor x, const Segments& segments) const {
    for (const auto& block : blocks_) x = block.run(b, std::move(x), segments);
    return x;
  }

  // As Resblock::run_next.
  Tensor run_next(B& b, Tensor x, Past<B>& past, const Segments& segments,
                  std::span<const std::int32_t> rows) const {
    past.resize(blocks_.size());
    for (std::size_t i = 0; i < blocks_.size(); ++i)
      x = blocks_[i].run_next(b, std::move(x), past[i], segments, rows);
    return x;
  }

 private:
  bool pooled_;
  std::vector<Resblock<B>> blocks_;
};

}  // namespace tandem
