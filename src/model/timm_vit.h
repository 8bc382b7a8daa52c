// timm's VisionTransformer as open_clip's TimmModel wraps it ("visual.trunk.…"): SigLIP's towers
// (Zhai et al. 2023; Tschannen et al. 2025), which attention-pool all patches, CLIP's under timm's
// names, which have a class token and a norm before the blocks, and MobileCLIP-B's (Vasu et al.
// 2023), whose patches come from a stem of three convolutions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/latent_pool.h"

namespace tandem {

// What a timm name fixes beside the fields of VisionConfig.
struct TimmVitModel {
  std::string_view name;
  int image_px = 224;
  int patch_px = 16;
  int width = 768;
  int layers = 12;
  int heads = 12;
  double mlp_ratio = 4;
  bool clip = false;  // class token; norm before the blocks, and patches without bias; eps 1e-5
  bool gelu_tanh = false;  // SigLIP 2's names; SigLIP 1's have exact GELU in timm
  bool averaged = false;   // "_gap_": average pooling
  bool stem = false;       // patches by TimmStem; class token without a position
  bool naflex = false;     // model/naflex.h

  bool class_token() const { return clip || stem; }
  double eps() const { return clip ? 1e-5 : 1e-6; }
  std::string_view pool() const { return class_token() ? "token" : averaged ? "avg" : "map"; }
};

// Null for names of other families.
const TimmVitModel* find_timm_vit(std::string_view name);
// Requires: a configuration that describe_timm_vit filled in.
const TimmVitModel& timm_vit_model(const VisionConfig& vision);

// How the trunk ends: timm's global_pool, its norm before pooling (else after).
struct TimmVitHead {
  std::string pool;  // "token", "avg" or "map"
  bool norm_first = true;
};
// Throws kUnsupported for a timm_pool that the model has not.
TimmVitHead timm_vit_head(const VisionConfig& vision);

// The rows of each segment but the first `skip`.
std::vector<std::int32_t> rows_after(const Segments& segments, int skip);

// Each picture's row of class tokens before its rows of patches, where the patches stand first.
std::vector<std::int32_t> class_rows_first(int count, int patches);

// timm's ConvStem as vit_base_mci_224 has it: 4x4, 2x2 and 2x2 pixels to one, batch norm and GELU
// behind the first two.
template <Backend B>
class TimmStem {
 public:
  explicit TimmStem(typename B::Loader& load) {
    const std::string scope = "visual.trunk.patch_embed.backbone.";
    convs_.push_back(load.conv(normed(scope + "0.", 4)));
    convs_.push_back(load.conv(normed(scope + "1.", 2)));
    convs_.push_back(load.conv({.weight = scope + "2.conv.weight",
                                .kernel = 2,
                                .stride = 2,
                                .bias = scope + "2.conv.bias"}));
  }

  // pixels: (B,S,S,3) -> (B*P,D).
  typename B::Tensor run(B& b, const PixelBatch& pixels) const {
    auto m = b.conv(b.pixel_map(pixels), convs_[0], Activation::kGelu);
    m = b.conv(m, convs_[1], Activation::kGelu);
    return b.to_rows(b.conv(m, convs_[2], Activation::kNone));
  }

 private:
  static ConvSpec normed(const std::string& scope, int kernel) {
    return {
        .weight = scope + "conv.weight", .norm = scope + "bn", .kernel = kernel, .stride = kernel};
  }
  std::vector<typename B::Conv> convs_;
};

template <Backend B>
class TimmVitBlock {
 public:
  using Tensor = typename B::Tensor;

  // `pooled`: the last block, of which only one row a segment is wanted. Its projections are then
  // loaded apart.
  TimmVitBlock(typename B::Loader& load, const std::string& scope, const ModelConfig& config,
               bool pooled)
      : heads_(config.vision.heads()),
        activation_(config.vision.timm_activation()),
        norm1_(load.norm(norm(config.vision, scope + "norm1"))),
        norm2_(load.norm(norm(config.vision, scope + "norm2"))),
        proj_(
            load.linear({.weight = scope + "attn.proj.weight", .bias = scope + "attn.proj.bias"})),
        fc1_(load.linear({.weight = scope + "mlp.fc1.weight", .bias = scope + "mlp.fc1.bias"})),
        fc2_(load.linear({.weight = scope + "mlp.fc2.weight", .bias = scope + "mlp.fc2.bias"})) {
    const int d = config.vision.width;
    const int step = pooled ? d : 3 * d;
    for (int begin = 0; begin < 3 * d; begin += step) {
      qkv_.push_back(load.linear({.weight = scope + "attn.qkv.weight",
                                  .bias = scope + "attn.qkv.bias",
                                  .begin = begin,
                                  .end = begin + step}));
    }
  }

  // x: (T,D) -> (T,D).
  Tensor run(B& b, Tensor x, const Segments& segments) const {
    const Tensor qkv = b.linear(b.layer_norm(x, norm1_), qkv_[0], Activation::kNone);
    const Tensor y = b.self_attention(qkv, segments, heads_, Mask::kNone);
    return mlp(b, b.linear_add(y, proj_, std::move(x)));
  }

  // x: (T,D) -> (B,D), the given row of each segment. Requires: constructed with pooled.
  Tensor run_pooled(B& b, const Tensor& x, const Segments& segments,
                    std::span<const std::int32_t> rows) const {
    const Tensor normed = b.layer_norm(x, norm1_);
    const Tensor q = b.linear(b.take_rows(normed, rows), qkv_[0], Activation::kNone);
    const Tensor k = b.linear(normed, qkv_[1], Activation::kNone);
    const Tensor v = b.linear(normed, qkv_[2], Activation::kNone);
    const Tensor y = b.pool_attention(q, k, v, segments, heads_);
    return mlp(b, b.linear_add(y, proj_, b.take_rows(x, rows)));
  }

 private:
  static NormSpec norm(const VisionConfig& config, const std::string& prefix) {
    return {.prefix = prefix, .eps = timm_vit_model(config).eps(), .feeds_products = true};
  }
  Tensor mlp(B& b, Tensor x) const {
    const Tensor hidden = b.linear(b.layer_norm(x, norm2_), fc1_, activation_);
    return b.linear_add(hidden, fc2_, std::move(x));
  }

  int heads_;
  Activation activation_;
  typename B::Norm norm1_;
  typename B::Norm norm2_;
  std::vector<typename B::Linear> qkv_;  // [qkv] or, in a pooled block, [q, k, v]
  typename B::Linear proj_;
  typename B::Linear fc1_;
  typename B::Linear fc2_;
};

template <Backend B>
class TimmVit {
 public:
  using Tensor = typename B::Tensor;

  TimmVit(typename B::Loader& load, const ModelConfig& config)
      : config_(config.vision),
        model_(timm_vit_model(config_)),
        head_(timm_vit_head(config_)),
        positions_(load.table("visual.trunk.pos_embed")),
        norm_(load.norm({.prefix = head_.norm_first ? "visual.trunk.norm" : "visual.trunk.fc_norm",
                         .eps = model_.eps(),
                         .feeds_products = head_.pool == "map"})),
        projection_(load, config_) {
    if (model_.stem) {
      stem_.emplace(load);
    } else {
      patches_.emplace(
          load.conv({.weight = "visual.trunk.patch_embed.proj.weight",
                     .kernel = config_.patch_px,
                     .stride = config_.patch_px,
                     .bias = model_.clip ? "" : "visual.trunk.patch_embed.proj.bias"}));
    }
    if (model_.class_token()) class_token_.emplace(load.table("visual.trunk.cls_token"));
    if (model_.clip) {
      norm_pre_.emplace(load.norm({.prefix = "visual.trunk.norm_pre", .eps = model_.eps()}));
    }
    if (head_.pool == "map") {
      pool_.emplace(load, "visual.trunk.attn_pool.",
                    LatentPoolConfig{config_.width, config_.heads(), config_.timm_activation(),
                                     model_.eps()});
    }
    for (int i = 0; i < config_.layers; ++i) {
      blocks_.emplace_back(load, "visual.trunk.blocks." + std::to_string(i) + ".", config,
                           head_.pool == "token" && i + 1 == config_.layers);
    }
  }

  // pixels: (B,S,S,3) -> (B,E), not normalised.
  Tensor run(B& b, const PixelBatch& pixels) const {
    const int patches = config_.grid() * config_.grid();
    const Segments segments = Segments::uniform(pixels.count, patches + (class_token_ ? 1 : 0));
    if (stem_) {
      Tensor x = b.add_positions(stem_->run(b, pixels), positions_,
                                 Segments::uniform(pixels.count, patches));
      x = b.take_rows(b.join_rows(x, b.repeat_rows(*class_token_, pixels.count)),
                      class_rows_first(pixels.count, patches));
      return run_embedded(b, std::move(x), segments);
    }
    Tensor x = b.patch_embed(pixels, *patches_);
    x = class_token_ ? b.add_class_and_positions(x, *class_token_, positions_)
                     : b.add_positions(std::move(x), positions_, segments);
    return run_embedded(b, std::move(x), segments);
  }

 private:
  // Patches with their positions: (T,D) -> (B,E).
  Tensor run_embedded(B& b, Tensor x, const Segments& segments) const {
    if (norm_pre_) x = b.layer_norm(x, *norm_pre_);
    if (head_.pool == "token") {
      const auto first = segments.first_rows();
      for (std::size_t i = 0; i + 1 < blocks_.size(); ++i)
        x = blocks_[i].run(b, std::move(x), segments);
      x = blocks_.back().run_pooled(b, x, segments, first);
      return projection_.run(b, b.layer_norm(x, norm_));
    }
    for (const auto& block : blocks_) x = block.run(b, std::move(x), segments);
    if (head_.norm_first) x = b.layer_norm(x, norm_);
    x = pool_ ? pool_->run(b, x, segments) : mean(b, x, segments);
    if (!head_.norm_first) x = b.layer_norm(x, norm_);
    return projection_.run(b, std::move(x));
  }

  // Of the patches, the class token left out.
  Tensor mean(B& b, const Tensor& x, const Segments& segments) const {
    if (!class_token_) return b.mean_rows(x, segments);
    return b.mean_rows(b.take_rows(x, rows_after(segments, 1)),
                       Segments::uniform(segments.count(), segments.max_length - 1));
  }

  VisionConfig config_;
  const TimmVitModel& model_;
  TimmVitHead head_;
  std::optional<typename B::Conv> patches_;
  std::optional<TimmStem<B>> stem_;
  typename B::Table positions_;
  typename B::Norm norm_;
  TimmProjection<B> projection_;
  std::optional<typename B::Table> class_token_;
  std::optional<typename B::Norm> norm_pre_;
  std::optional<LatentPool<B>> pool_;
  std::vector<TimmVitBlock<B>> blocks_;
};

}  // namespace tandem
