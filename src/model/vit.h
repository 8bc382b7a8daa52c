// CLIP's vision transformer (Radford et al. 2021; open_clip VisionTransformer): patches, class
// token, pre-norm blocks.
#pragma once

#include <optional>
#include <string>

#include "core/rng.h"
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
  }

  // pixels: (B,S,S,3) -> (B,E), not normalised.
  Tensor run(B& b, const PixelBatch& pixels, TrainingPass* training) const {
    Tensor x = b.add_class_and_positions(b.patch_embed(pixels, conv1_), class_embedding_,
                                         positional_embedding_);
    int length = config_.grid() * config_.grid() + 1;
    if (training != nullptr && config_.patch_dropout > 0) {
      const auto kept =
          patch_dropout_rows(pixels.count, length - 1, config_.patch_dropout, training->rng);
      x = b.take_rows(x, kept);
      length = static_cast<int>(kept.size()) / pixels.count;
    }
    if (ln_pre_) x = b.layer_norm(x, *ln_pre_);
    const Segments segments = Segments::uniform(pixels.count, length);
    return b.linear(pooled(b, std::move(x), segments), proj_, Activation::kNone);
  }

 private:
  // Class-token pooling needs one row of the last block's output; average pooling needs them all.
  static bool pooled_early(const VisionConfig& config) {
    return config.pool == VisionConfig::Pool::kToken;
  }

  // Blocks, pooling and the final norm, in the order the config asks: (T,D) -> (B,D).
  Tensor pooled(B& b, Tensor x, const Segments& segments) const {
    if (pooled_early(config_)) {
      return b.layer_norm(transformer_.run_pooled(b, std::move(x), segments, segments.first_rows()),
                          ln_post_);
    }
    x = transformer_.run(b, std::move(x), segments);
    if (!config_.final_ln_after_pool) x = b.layer_norm(x, ln_post_);
    x = b.mean_rows(b.take_rows(x, patch_rows(segments)),
                    Segments::uniform(segments.count(), segments.max_length - 1));
    return config_.final_ln_after_pool ? b.layer_norm(x, ln_post_) : std::move(x);
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
  typename B::Norm ln_post_;
  typename B::Linear proj_;
};

}  // namespace tandem
