// EVA, EVA-02 and Perception Encoder image towers (Fang et al. 2022, 2023; Sun et al. 2023; Bolya
// et al. 2025), as timm's Eva class runs them inside open_clip's TimmModel: blocks with rotary
// positions, gated MLPs and inner norms, or post-norm blocks, under "visual.trunk.".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/latent_pool.h"

namespace tandem {

// What a timm name fixes beside the fields of VisionConfig.
struct EvaModel {
  enum class Kind {
    kEva01,       // plain pre-norm blocks; biases of q and v only
    kEva02,       // separate q, k, v; SwiGLU; norms inside attention and MLP; rotary positions
    kEvaPost,     // EVA01's with the norms behind attention and MLP
    kPerception,  // plain pre-norm blocks, a norm before them, rotary positions, attention pooling
  };
  std::string_view name;
  Kind kind = Kind::kEva01;
  int image_px = 224;
  int patch_px = 14;
  int width = 0;
  int layers = 0;
  int heads = 0;
  double mlp_ratio = 4;
  int rope_grid = 0;  // the grid that angles are scaled to; 0: no rotary positions
  float rope_offset = 0;
  bool class_token = true;
  std::string_view pool = "token";  // where open_clip leaves timm's own

  bool is(Kind k) const { return kind == k; }
  double eps() const { return is(Kind::kPerception) ? 1e-5 : 1e-6; }
  int prefix() const { return class_token ? 1 : 0; }
};

// Null for names of other families.
const EvaModel* find_eva(std::string_view name);
// Requires: a configuration that describe_eva filled in.
const EvaModel& eva_model(const VisionConfig& vision);

// How the trunk ends: timm's global_pool, its norm before pooling (else after), the projection's
// name.
struct EvaHead {
  std::string pool;  // "token", "avg" or "map"
  bool norm_first = true;
  int pool_heads = 8;
};
// Throws kUnsupported for a timm_pool that the model has not.
EvaHead eva_head(const VisionConfig& vision);

// (grid*grid, 2*head) rows of [cos|sin] for Backend::rotary (timm RotaryEmbeddingCat).
std::vector<float> eva_angles(const EvaModel& model, int grid, int head);

template <Backend B>
class EvaBlock {
 public:
  using Tensor = typename B::Tensor;
  using Kind = EvaModel::Kind;

  EvaBlock(typename B::Loader& load, const std::string& scope, const EvaModel& model,
           const VisionConfig& config)
      : kind_(model.kind),
        heads_(config.heads()),
        skip_(model.prefix()),
        norm1_(load.norm(norm(model, scope + "norm1"))),
        norm2_(load.norm(norm(model, scope + "norm2"))),
        qkv_(load.linear(qkv(model, scope + "attn.", config.width))),
        proj_(
            load.linear({.weight = scope + "attn.proj.weight", .bias = scope + "attn.proj.bias"})),
        fc1_(load.linear(fc1(model, scope + "mlp."))),
        fc2_(load.linear({.weight = scope + "mlp.fc2.weight", .bias = scope + "mlp.fc2.bias"})) {
    if (!model.is(Kind::kEva02)) return;
    inner_.emplace(load.norm(inner_norm(model, scope + "attn.norm")));
    mlp_norm_.emplace(load.norm(inner_norm(model, scope + "mlp.norm")));
  }

  // x: (T,D) -> (T,D), or with `rows`, one a segment, (B,D): what comes after attention for those
  // rows only.
  Tensor run(B& b, Tensor x, const Segments& segments, const std::optional<typename B::Table>& rope,
             const std::vector<std::int32_t>* rows) const {
    const bool post = kind_ == Kind::kEvaPost;
    Tensor qkv = post ? b.linear(x, qkv_, Activation::kNone)
                      : b.linear(b.layer_norm(x, norm1_), qkv_, Activation::kNone);
    if (rope) qkv = b.rotary(std::move(qkv), *rope, segments, heads_, skip_);
    Tensor y = b.self_attention(qkv, segments, heads_, Mask::kNone);
    if (rows != nullptr) {
      y = b.take_rows(y, *rows);
      x = b.take_rows(x, *rows);
    }
    if (inner_) y = b.layer_norm(y, *inner_);
    if (post) {
      x = b.add(std::move(x), b.layer_norm(b.linear(y, proj_, Activation::kNone), norm1_));
      return b.add(std::move(x),
                   b.layer_norm(b.linear(hidden(b, x), fc2_, Activation::kNone), norm2_));
    }
    x = b.linear_add(y, proj_, std::move(x));
    const Tensor h = hidden(b, b.layer_norm(x, norm2_));
    return b.linear_add(h, fc2_, std::move(x));
  }

 private:
  static NormSpec norm(const EvaModel& model, const std::string& prefix) {
    return {.prefix = prefix, .eps = model.eps(), .feeds_products = !model.is(Kind::kEvaPost)};
  }
  static NormSpec inner_norm(const EvaModel& model, const std::string& prefix) {
    return {.prefix = prefix, .eps = model.eps(), .feeds_products = true};
  }
  static LinearSpec qkv(const EvaModel& model, const std::string& scope, int width) {
    if (model.is(Kind::kEva02)) {
      return {
          .weight = scope + "q_proj.weight",
          .bias = scope + "q_proj.bias",
          .more = {{scope + "k_proj.weight"}, {scope + "v_proj.weight", scope + "v_proj.bias"}}};
    }
    const std::string weight = scope + "qkv.weight";
    if (model.is(Kind::kPerception)) return {.weight = weight, .bias = scope + "qkv.bias"};
    return {
        .weight = weight,
        .bias = scope + "q_bias",
        .end = width,
        .more = {{weight, "", width, 2 * width}, {weight, scope + "v_bias", 2 * width, 3 * width}}};
  }
  static LinearSpec fc1(const EvaModel& model, const std::string& scope) {
    if (!model.is(Kind::kEva02))
      return {.weight = scope + "fc1.weight", .bias = scope + "fc1.bias"};
    return {.weight = scope + "fc1_g.weight",
            .bias = scope + "fc1_g.bias",
            .more = {{scope + "fc1_x.weight", scope + "fc1_x.bias"}}};
  }
  Tensor hidden(B& b, const Tensor& x) const {
    if (!mlp_norm_) return b.linear(x, fc1_, Activation::kGelu);
    return b.layer_norm(b.gated(b.linear(x, fc1_, Activation::kNone), Activation::kSilu),
                        *mlp_norm_);
  }

  EvaModel::Kind kind_;
  int heads_;
  int skip_;
  typename B::Norm norm1_;
  typename B::Norm norm2_;
  typename B::Linear qkv_;
  typename B::Linear proj_;
  typename B::Linear fc1_;
  typename B::Linear fc2_;
  std::optional<typename B::Norm> inner_;
  std::optional<typename B::Norm> mlp_norm_;
};

template <Backend B>
class Eva {
 public:
  using Tensor = typename B::Tensor;

  Eva(typename B::Loader& load, const ModelConfig& config)
      : config_(config.vision),
        model_(eva_model(config_)),
        head_(eva_head(config_)),
        patches_(load.conv(patches(model_, config_))),
        positions_(load.table("visual.trunk.pos_embed")),
        norm_(load.norm({.prefix = head_.norm_first ? "visual.trunk.norm" : "visual.trunk.fc_norm",
                         .eps = model_.eps()})),
        projection_(load, config_) {
    if (model_.class_token) class_token_.emplace(load.table("visual.trunk.cls_token"));
    if (model_.is(EvaModel::Kind::kPerception))
      norm_pre_.emplace(load.norm({.prefix = "visual.trunk.norm_pre", .eps = model_.eps()}));
    if (model_.rope_grid > 0)
      rope_.emplace(load.constant(eva_angles(model_, config_.grid(), config_.head_width),
                                  2 * config_.head_width));
    if (head_.pool == "map")
      pool_.emplace(
          load, "visual.trunk.attn_pool.",
          LatentPoolConfig{config_.width, head_.pool_heads, Activation::kGelu, model_.eps()});
    for (int i = 0; i < config_.layers; ++i)
      blocks_.emplace_back(load, "visual.trunk.blocks." + std::to_string(i) + ".", model_, config_);
  }

  // pixels: (B,S,S,3) -> (B,E), not normalised.
  Tensor run(B& b, const PixelBatch& pixels) const {
    const Segments segments =
        Segments::uniform(pixels.count, config_.grid() * config_.grid() + model_.prefix());
    Tensor x = b.patch_embed(pixels, patches_);
    x = class_token_ ? b.add_class_and_positions(x, *class_token_, positions_)
                     : b.add_positions(std::move(x), positions_, segments);
    if (norm_pre_) x = b.layer_norm(x, *norm_pre_);
    const auto first = segments.first_rows();
    const bool token = head_.pool == "token";
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const bool pooled = token && i + 1 == blocks_.size();
      x = blocks_[i].run(b, std::move(x), segments, rope_, pooled ? &first : nullptr);
    }
    if (head_.norm_first) x = b.layer_norm(x, norm_);
    if (pool_) x = pool_->run(b, x, segments);
    if (head_.pool == "avg") x = mean(b, x, segments);
    if (!head_.norm_first) x = b.layer_norm(x, norm_);
    return projection_.run(b, std::move(x));
  }

 private:
  static ConvSpec patches(const EvaModel& model, const VisionConfig& config) {
    ConvSpec spec{.weight = "visual.trunk.patch_embed.proj.weight",
                  .kernel = config.patch_px,
                  .stride = config.patch_px};
    if (!model.is(EvaModel::Kind::kPerception)) spec.bias = "visual.trunk.patch_embed.proj.bias";
    return spec;
  }

  // Of the patches, the class token left out.
  Tensor mean(B& b, const Tensor& x, const Segments& segments) const {
    if (!class_token_) return b.mean_rows(x, segments);
    std::vector<std::int32_t> rows;
    for (int i = 0; i < segments.count(); ++i) {
      for (int r = segments.offsets[i] + 1; r < segments.offsets[i + 1]; ++r) rows.push_back(r);
    }
    return b.mean_rows(b.take_rows(x, rows),
                       Segments::uniform(segments.count(), segments.max_length - 1));
  }

  VisionConfig config_;
  const EvaModel& model_;
  EvaHead head_;
  typename B::Conv patches_;
  typename B::Table positions_;
  std::optional<typename B::Table> class_token_;
  std::optional<typename B::Norm> norm_pre_;
  std::optional<typename B::Table> rope_;
  std::vector<EvaBlock<B>> blocks_;
  typename B::Norm norm_;
  std::optional<LatentPool<B>> pool_;
  TimmProjection<B> projection_;
};

}  // namespace tandem
