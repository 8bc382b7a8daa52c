// FastViT image towers of MobileCLIP 1 and 2 (Vasu et al. 2023, 2024; Faghri et al. 2025), as
// timm's FastVit class inside open_clip's TimmModel: convolutions whose branches are folded into
// one (reparameterise), then attention in the last stages. The residual stream is rows of pixels,
// which 1x1 convolutions multiply as matrices; only k x k convolutions see maps.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tensor.h"
#include "model/backend.h"

namespace tandem {

// What a timm name fixes beside the fields of VisionConfig, where width is the first stage's,
// doubled by each stage, and layers the longest stage's.
struct FastVitModel {
  std::string_view name;
  int stages = 4;
  std::array<int, 5> layers{};
  int width = 64;
  int mlp_ratio = 3;
  int attention_from = 3;   // the first stage of attention, with positions by a 7x7 convolution
  bool excitation = true;   // squeeze and excitation where the last two stages begin
  bool layer_norm = false;  // before attention; else batch norm

  bool attends(int stage) const { return stage >= attention_from; }
  bool excites(int stage) const { return excitation && stage >= 2; }
};

const FastVitModel* find_fastvit(std::string_view name);
// Requires: a configuration that describe_fastvit filled in.
const FastVitModel& fastvit_model(const VisionConfig& vision);

// A convolution that timm trains in branches.
struct FastVitConv {
  std::string scope;  // "visual.trunk.stem.0."
  int in = 0;
  int out = 0;
  int kernel = 1;
  int stride = 1;
  int groups = 1;
  ConvSpec spec() const {
    return {.weight = scope + "reparam_conv.weight",
            .kernel = kernel,
            .stride = stride,
            .padding = kernel / 2,
            .bias = scope + "reparam_conv.bias",
            .groups = groups};
  }
};

// Where each stands. A scope ends in a dot.
struct FastVitScope {
  static constexpr const char* kTrunk = "visual.trunk.";
  static std::string stage(int i) { return kTrunk + ("stages." + std::to_string(i) + "."); }
  static std::string block(int i, int j) { return stage(i) + "blocks." + std::to_string(j) + "."; }
};
inline int fastvit_width(const VisionConfig& v, int stage) { return v.width << stage; }
inline int fastvit_blocks(const FastVitModel& model, const VisionConfig& v, int stage) {
  return std::min(model.layers[stage], v.layers);
}
std::array<FastVitConv, 3> fastvit_stem(const VisionConfig& v);
FastVitConv fastvit_large(const VisionConfig& v, int stage);      // where a stage begins, 7x7
FastVitConv fastvit_small(const VisionConfig& v, int stage);      // after it, 1x1
FastVitConv fastvit_positions(const VisionConfig& v, int stage);  // 7x7
FastVitConv fastvit_mixer(const VisionConfig& v, int stage, int block);
FastVitConv fastvit_last(const FastVitModel& model, const VisionConfig& v);

// Folds every convolution that still has its branches (conv_kxk, conv_scale, identity, large_conv,
// small_conv, mixer, norm, pos_enc) into reparam_conv, as timm's reparameterize does. Throws
// kCorrupt naming a tensor that is missing or has not the shape.
void reparameterise(const ModelConfig& config, TensorMap& weights);

// Squeeze and excitation: (B,H,W,C), each channel by what all pixels say.
template <Backend B>
class Excitation {
 public:
  Excitation(typename B::Loader& load, const std::string& scope)
      : fc1_(load.linear({.weight = scope + "fc1.weight", .bias = scope + "fc1.bias"})),
        fc2_(load.linear({.weight = scope + "fc2.weight", .bias = scope + "fc2.bias"})) {}
  typename B::Map run(B& b, typename B::Map m) const {
    const auto hidden = b.linear(b.mean_pixel(m), fc1_, Activation::kRelu);
    return b.gate_channels(std::move(m), b.linear(hidden, fc2_, Activation::kNone),
                           Activation::kGelu);
  }

 private:
  typename B::Linear fc1_;
  typename B::Linear fc2_;
};

template <Backend B>
class FastVitBlock {
 public:
  using Map = typename B::Map;
  using Tensor = typename B::Tensor;

  FastVitBlock(typename B::Loader& load, const FastVitModel& model, const VisionConfig& v,
               int stage, int block)
      : heads_(fastvit_width(v, stage) / v.head_width),
        conv_(load.conv(
            mlp_conv(FastVitScope::block(stage, block) + "mlp.conv.", fastvit_width(v, stage)))) {
    const std::string scope = FastVitScope::block(stage, block);
    const bool attends = model.attends(stage);
    fc1_.emplace(load.linear({.weight = scope + "mlp.fc1.weight", .bias = scope + "mlp.fc1.bias"}));
    fc2_.emplace(load.linear(
        {.weight = scope + "mlp.fc2.weight",
         .bias = scope + "mlp.fc2.bias",
         .layer_scale = scope + (attends ? "layer_scale_2.gamma" : "layer_scale.gamma")}));
    if (!attends) {
      mixer_.emplace(load.conv(fastvit_mixer(v, stage, block).spec()));
      return;
    }
    norm_.emplace(load.norm({.prefix = scope + "norm",
                             .eps = 1e-5,
                             .batch = !model.layer_norm,
                             .feeds_products = true}));
    qkv_.emplace(load.linear({.weight = scope + "token_mixer.qkv.weight"}));
    proj_.emplace(load.linear({.weight = scope + "token_mixer.proj.weight",
                               .bias = scope + "token_mixer.proj.bias",
                               .layer_scale = scope + "layer_scale_1.gamma"}));
  }

  // m: (B,S,S,C) -> (B,S,S,C).
  Map run(B& b, Map m, int batch, int side) const {
    if (mixer_) {
      m = b.conv(m, *mixer_, Activation::kNone);
      Tensor hidden =
          b.linear(b.to_rows(b.conv(m, conv_, Activation::kNone)), *fc1_, Activation::kGelu);
      return b.to_map(b.linear_add(hidden, *fc2_, b.to_rows(std::move(m))), side, side);
    }
    Tensor x = b.to_rows(std::move(m));
    const Tensor qkv = b.linear(b.layer_norm(x, *norm_), *qkv_, Activation::kNone);
    const Tensor y =
        b.self_attention(qkv, Segments::uniform(batch, side * side), heads_, Mask::kNone);
    x = b.linear_add(y, *proj_, std::move(x));
    const Tensor hidden =
        b.linear(b.to_rows(b.conv(b.to_map(x, side, side), conv_, Activation::kNone)), *fc1_,
                 Activation::kGelu);
    return b.to_map(b.linear_add(hidden, *fc2_, std::move(x)), side, side);
  }

 private:
  static ConvSpec mlp_conv(const std::string& scope, int width) {
    return {.weight = scope + "conv.weight",
            .norm = scope + "bn",
            .kernel = 7,
            .padding = 3,
            .groups = width};
  }

  int heads_;
  typename B::Conv conv_;
  std::optional<typename B::Conv> mixer_;
  std::optional<typename B::Norm> norm_;
  std::optional<typename B::Linear> qkv_;
  std::optional<typename B::Linear> proj_;
  std::optional<typename B::Linear> fc1_;
  std::optional<typename B::Linear> fc2_;
};

template <Backend B>
class FastVit {
 public:
  using Map = typename B::Map;
  using Tensor = typename B::Tensor;

  FastVit(typename B::Loader& load, const ModelConfig& config)
      : config_(config.vision),
        model_(fastvit_model(config_)),
        last_(load.conv(fastvit_last(model_, config_).spec())),
        last_excitation_(load, std::string(FastVitScope::kTrunk) + "final_conv.se."),
        head_(load.linear({.weight = std::string(FastVitScope::kTrunk) + "head.fc.weight",
                           .bias = std::string(FastVitScope::kTrunk) + "head.fc.bias"})) {
    for (const FastVitConv& conv : fastvit_stem(config_)) stem_.push_back(load.conv(conv.spec()));
    for (int i = 0; i < model_.stages; ++i) stages_.push_back(make_stage(load, i));
  }

  // pixels: (B,S,S,3) -> (B,E), not normalised.
  Tensor run(B& b, const PixelBatch& pixels) const {
    Map m = b.pixel_map(pixels);
    for (const auto& conv : stem_) m = b.conv(m, conv, Activation::kGelu);
    int side = halved(halved(pixels.size_px));
    for (const Stage& stage : stages_) {
      if (stage.large) {
        side = halved(side);
        m = b.conv(m, *stage.large, stage.excitation ? Activation::kNone : Activation::kGelu);
        if (stage.excitation) m = stage.excitation->run(b, std::move(m));
        m = b.conv(m, *stage.small, Activation::kGelu);
      }
      if (stage.positions) m = b.conv(m, *stage.positions, Activation::kNone);
      for (const auto& block : stage.blocks) m = block.run(b, std::move(m), pixels.count, side);
    }
    m = last_excitation_.run(b, b.conv(m, last_, Activation::kNone));
    return b.linear(b.mean_pixel(m), head_, Activation::kNone);
  }

 private:
  struct Stage {
    std::optional<typename B::Conv> large;
    std::optional<Excitation<B>> excitation;
    std::optional<typename B::Conv> small;
    std::optional<typename B::Conv> positions;
    std::vector<FastVitBlock<B>> blocks;
  };

  static int halved(int side) { return (side + 1) / 2; }

  Stage make_stage(typename B::Loader& load, int i) const {
    Stage stage;
    if (i > 0) {
      stage.large.emplace(load.conv(fastvit_large(config_, i).spec()));
      stage.small.emplace(load.conv(fastvit_small(config_, i).spec()));
      if (model_.excites(i))
        stage.excitation.emplace(load, fastvit_large(config_, i).scope + "se.");
    }
    if (model_.attends(i)) stage.positions.emplace(load.conv(fastvit_positions(config_, i).spec()));
    for (int j = 0; j < fastvit_blocks(model_, config_, i); ++j)
      stage.blocks.emplace_back(load, model_, config_, i, j);
    return stage;
  }

  VisionConfig config_;
  const FastVitModel& model_;
  std::vector<typename B::Conv> stem_;
  std::vector<Stage> stages_;
  typename B::Conv last_;
  Excitation<B> last_excitation_;
  typename B::Linear head_;
};

}  // namespace tandem
