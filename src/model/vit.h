// CLIP's vision transformer (Radford et al. 2021; open_clip VisionTransformer): patches, class
// token, pre-norm blocks.
#pragma once

#include <optional>
#include <string>

#include "core/rng.h"
#include "model/attention_pooler.h"
#include "model/transformer.h"

namespace tandem {

// What a training step adds to a forward pass. Absent at inference.
struct TrainingPass {
  Rng rng;  // patch dropout
};

// For each of `count` pictures of `patches` patches: the class row and a random (1 - dropout) share
// of its patches, in order (Li et al. 2023, FLIP; open_clip PatchDropout). Rows of the (B*(P+1))
// tensor.
std::vector<std::int32_t> patch_dropout_rows(int count, int patches, double dropout, Rng& rng);

template <Backend B>
class VisionTransformer {
 public:
  using Tensor = typename B::Tensor;

  VisionTransformer(typename B::Loader& load, const ModelConfig& config)
      : config_(config.vision),
        conv1_(load.conv({.weight = "visual.conv1.weight",
                          .kernel = config_.patch_px,
                          .stride = config_.patch_px})),
        class_embedding_(load.table("visual.class_embedding")),
        positional_embedding_(load.table("visual.positional_embedding")),
        transformer_(load, "visual.transformer.",
                     {.layers = config_.layers,
                      .width = config_.width,
                      .heads = config_.heads(),
                      .activation = config.activation(),
                      .layer_scale = config_.layer_scale.has_value()},
                     pooled_early(config_)),
        ln_post_(load.norm({.prefix = "visual.ln_post"})),
        proj_(load.linear({.weight = "visual.proj", .transposed = true})) {
    if (!config_.no_ln_pre) ln_pre_.emplace(load.norm({.prefix = "visual.ln_pre"}));
    if (config_.attention_pool == AttentionPool::kNone) return;
    PoolerShape shape{config_.width, config.embed_dim, config_.pooler_queries,
                      config_.pooler_heads};
    attn_pool_.emplace(load, "visual.attn_pool.", shape);
    if (config_.attention_pool == AttentionPool::kPlain) return;
    shape.queries = 1;
    attn_pool_contrastive_.emplace(load, "visual.attn_pool_contrastive.", shape);
  }

  // pixels: (B,S,S,3) -> (B,E), not normalised.
  Tensor run(B& b, const PixelBatch& pixels, TrainingPass* training) const {
    Segments segments;
    Tensor x = embedded(b, pixels, training, segments);
    return b.linear(pooled(b, std::move(x), segments), proj_, Activation::kNone);
  }

  // As run(), with token merging. Requires: merges_tokens(config) (model/token_merge.h).
  Tensor run_merged(B& b, const PixelBatch& pixels, int per_block) const {
    Segments segments;
    Tensor x = embedded(b, pixels, nullptr, segments);
    x = b.layer_norm(transformer_.run_merged(b, std::move(x), std::move(segments), per_block),
                     ln_post_);
    return b.linear(x, proj_, Activation::kNone);
  }

  // What CoCa's decoder reads of each picture: (B*N,C), N rows a picture; open_clip's second
  // output. Requires: output_tokens.
  Tensor run_tokens(B& b, const PixelBatch& pixels) const {
    Segments segments;
    Tensor x = transformer_.run(b, embedded(b, pixels, nullptr, segments), segments);
    if (attn_pool_contrastive_) return attn_pool_->run(b, b.layer_norm(x, ln_post_), segments);
    if (attn_pool_) {
      x = b.layer_norm(attn_pool_->run(b, x, segments), ln_post_);
      segments = Segments::uniform(segments.count(), attn_pool_->queries());
    } else if (!config_.final_ln_after_pool) {
      x = b.layer_norm(x, ln_post_);
    }
    return b.take_rows(x, patch_rows(segments));
  }

  // N of run_tokens.
  int token_count() const {
    if (config_.attention_pool == AttentionPool::kNone) return config_.grid() * config_.grid();
    const bool all = config_.attention_pool == AttentionPool::kPlain;
    return all ? config_.pooler_queries - 1 : config_.pooler_queries;
  }

 private:
  using AttentionPool = VisionConfig::AttentionPool;

  // Patches, class token and positions: (T,D), with its segments.
  Tensor embedded(B& b, const PixelBatch& pixels, TrainingPass* training,
                  Segments& segments) const {
    Tensor x = b.add_class_and_positions(b.patch_embed(pixels, conv1_), class_embedding_,
                                         positional_embedding_);
    int length = config_.grid() * config_.grid() + 1;
    if (training != nullptr && config_.patch_dropout > 0) {
      const auto kept =
          patch_dropout_rows(pixels.count, length - 1, config_.patch_dropout, training->rng);
      x = b.take_rows(x, kept);
      length = static_cast<int>(kept.size()) / pixels.count;
    }
    segments = Segments::uniform(pixels.count, length);
    return ln_pre_ ? b.layer_norm(x, *ln_pre_) : std::move(x);
  }

  // Class-token pooling needs one row of the last block's output; all others need them all.
  static bool pooled_early(const VisionConfig& config) {
    return config.pool == VisionConfig::Pool::kToken && !config.output_tokens &&
           config.attention_pool == AttentionPool::kNone;
  }

  // Blocks, pooling and the final norm, in the order the config asks: (T,D) -> (B,D).
  Tensor pooled(B& b, Tensor x, const Segments& segments) const {
    if (pooled_early(config_)) {
      return b.layer_norm(transformer_.run_pooled(b, std::move(x), segments, segments.first_rows()),
                          ln_post_);
    }
    x = transformer_.run(b, std::move(x), segments);
    if (attn_pool_) return attention_pooled(b, x, segments);
    if (!config_.final_ln_after_pool) x = b.layer_norm(x, ln_post_);
    x = global_pooled(b, x, segments);
    return config_.final_ln_after_pool ? b.layer_norm(x, ln_post_) : std::move(x);
  }

  // final_ln_after_pool plays no part here, as in open_clip.
  Tensor attention_pooled(B& b, const Tensor& x, const Segments& segments) const {
    if (!attn_pool_contrastive_) {
      if (config_.pool == VisionConfig::Pool::kToken)
        return b.layer_norm(attn_pool_->run_first(b, x, segments), ln_post_);
      const Tensor rows = b.layer_norm(attn_pool_->run(b, x, segments), ln_post_);
      return global_pooled(b, rows, Segments::uniform(segments.count(), attn_pool_->queries()));
    }
    const Tensor normed = b.layer_norm(x, ln_post_);
    if (config_.attention_pool == AttentionPool::kParallel)
      return attn_pool_contrastive_->run_first(b, normed, segments);
    return attn_pool_contrastive_->run_first(
        b, attn_pool_->run(b, normed, segments),
        Segments::uniform(segments.count(), attn_pool_->queries()));
  }

  // The first row of each segment, or the mean of the others.
  Tensor global_pooled(B& b, const Tensor& x, const Segments& segments) const {
    if (config_.pool == VisionConfig::Pool::kToken) return b.take_rows(x, segments.first_rows());
    return b.mean_rows(b.take_rows(x, patch_rows(segments)),
                       Segments::uniform(segments.count(), segments.max_length - 1));
  }

  // Every row but each segment's first: open_clip's "avg" pooling leaves the class token out.
  static std::vector<std::int32_t> patch_rows(const Segments& segments) {
    std::vector<std::int32_t> rows;
    for (int i = 0; i < segments.count(); ++i) {
      for (int r = segments.offsets[i] + 1; r < segments.offsets[i + 1]; ++r) rows.push_back(r);
    }
    return rows;
  }

  VisionConfig config_;
  typename B::Conv conv1_;
  typename B::Table class_embedding_;
  typename B::Table positional_embedding_;
  std::optional<typename B::Norm> ln_pre_;
  Transformer<B> transformer_;
  std::optional<AttentionPooler<B>> attn_pool_;
  std::optional<AttentionPooler<B>> attn_pool_contrastive_;
  typename B::Norm ln_post_;
  typename B::Linear proj_;
};

}  // namespace tandem
