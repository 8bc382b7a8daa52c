// SigLIP 2's NaFlex tower (Tschannen et al. 2025, section 2.4): SigLIP's blocks and attention
// pooling over pictures that keep their proportions, with positions resized to each. Reference:
// transformers 5.23 Siglip2VisionTransformer; tensors are named as timm's NaFlexVit names them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/timm_vit.h"

namespace tandem {

// The patches of each picture.
std::vector<GridSize> grids_of(const PixelBatch& pixels, int patch_px);

template <Backend B>
class Naflex {
 public:
  using Tensor = typename B::Tensor;

  Naflex(typename B::Loader& load, const ModelConfig& config)
      : patch_px_(config.vision.patch_px),
        patches_(load.conv({.weight = "visual.trunk.embeds.proj.weight",
                            .kernel = patch_px_,
                            .stride = patch_px_,
                            .bias = "visual.trunk.embeds.proj.bias",
                            .patches = true})),
        positions_(load.table("visual.trunk.embeds.pos_embed")),
        norm_(load.norm({.prefix = "visual.trunk.norm",
                         .eps = timm_vit_model(config.vision).eps(),
                         .feeds_products = true})),
        pool_(
            load, "visual.trunk.attn_pool.",
            LatentPoolConfig{config.vision.width, config.vision.heads(),
                             config.vision.timm_activation(), timm_vit_model(config.vision).eps()}),
        projection_(load, config.vision) {
    for (int i = 0; i < config.vision.layers; ++i)
      blocks_.emplace_back(load, "visual.trunk.blocks." + std::to_string(i) + ".", config, false);
  }

  // Pictures whose sides are multiples of a patch -> (B,E), not normalised.
  Tensor run(B& b, const PixelBatch& pixels) const {
    const std::vector<GridSize> grids = grids_of(pixels, patch_px_);
    const Segments segments = Segments::of(grids);
    Tensor x = b.add_grid_positions(b.patch_embed(pixels, patches_), positions_, grids);
    for (const auto& block : blocks_) x = block.run(b, std::move(x), segments);
    return projection_.run(b, pool_.run(b, b.layer_norm(x, norm_), segments));
  }

 private:
  int patch_px_;
  typename B::Conv patches_;
  typename B::Table positions_;
  typename B::Norm norm_;
  LatentPool<B> pool_;
  TimmProjection<B> projection_;
  std::vector<TimmVitBlock<B>> blocks_;
};

}  // namespace tandem
