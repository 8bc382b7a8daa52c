// CLIP's ModifiedResNet (Radford et al. 2021 section 2.4; open_clip ModifiedResNet): a
// three-convolution stem, bottleneck blocks with anti-aliased strides (average pooling before 1x1
// convolutions), attention pooling.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/backend.h"

namespace tandem {

template <Backend B>
class Bottleneck {
 public:
  using Map = typename B::Map;

  // inplanes -> planes -> planes -> 4 * planes channels.
  Bottleneck(typename B::Loader& load, const std::string& scope, bool downsample, int stride)
      : stride_(stride),
        conv1_(load.conv({.weight = scope + "conv1.weight", .norm = scope + "bn1"})),
        conv2_(load.conv(
            {.weight = scope + "conv2.weight", .norm = scope + "bn2", .kernel = 3, .padding = 1})),
        conv3_(load.conv({.weight = scope + "conv3.weight", .norm = scope + "bn3"})) {
    if (downsample) {
      downsample_.emplace(
          load.conv({.weight = scope + "downsample.0.weight", .norm = scope + "downsample.1"}));
    }
  }

  Map run(B& b, const Map& x) const {
    Map y = b.conv(b.conv(x, conv1_, Activation::kRelu), conv2_, Activation::kRelu);
    if (stride_ > 1) y = b.avg_pool(y, stride_);
    if (!downsample_) return b.conv_add_relu(y, conv3_, x);
    if (stride_ == 1) return b.conv_add_relu(y, conv3_, b.conv(x, *downsample_, Activation::kNone));
    return b.conv_add_relu(y, conv3_,
                           b.conv(b.avg_pool(x, stride_), *downsample_, Activation::kNone));
  }

 private:
  int stride_;
  typename B::Conv conv1_;
  typename B::Conv conv2_;
  typename B::Conv conv3_;
  std::optional<typename B::Conv> downsample_;
};

template <Backend B>
class ModifiedResNet {
 public:
  using Tensor = typename B::Tensor;
  using Map = typename B::Map;

  ModifiedResNet(typename B::Loader& load, const ModelConfig& config)
      : heads_(config.vision.heads()),
        conv1_(load.conv({.weight = "visual.conv1.weight",
                          .norm = "visual.bn1",
                          .kernel = 3,
                          .stride = 2,
                          .padding = 1})),
        conv2_(load.conv(
            {.weight = "visual.conv2.weight", .norm = "visual.bn2", .kernel = 3, .padding = 1})),
        conv3_(load.conv(
            {.weight = "visual.conv3.weight", .norm = "visual.bn3", .kernel = 3, .padding = 1})),
        positional_embedding_(load.table("visual.attnpool.positional_embedding")),
        q_proj_(pool_projection(load, "q_proj")),
        k_proj_(pool_projection(load, "k_proj")),
        v_proj_(pool_projection(load, "v_proj")),
        c_proj_(pool_projection(load, "c_proj")) {
    for (int stage = 0; stage < 4; ++stage) {
      for (int i = 0; i < config.vision.stages[stage]; ++i) {
        const std::string scope =
            "visual.layer" + std::to_string(stage + 1) + "." + std::to_string(i) + ".";
        blocks_.emplace_back(load, scope, /*downsample=*/i == 0,
                             /*stride=*/i == 0 && stage > 0 ? 2 : 1);
      }
    }
  }

  // pixels: (B,S,S,3) -> (B,E), not normalised. Requires: S a multiple of 32.
  Tensor run(B& b, const PixelBatch& pixels) const {
    Map x = b.conv(b.pixel_map(pixels), conv1_, Activation::kRelu);
    x = b.conv(x, conv2_, Activation::kRelu);
    x = b.avg_pool(b.conv(x, conv3_, Activation::kRelu), 2);
    for (const auto& block : blocks_) x = block.run(b, x);
    return attention_pool(b, x, Segments::uniform(pixels.count, grid_rows(pixels)));
  }

 private:
  static typename B::Linear pool_projection(typename B::Loader& load, const std::string& name) {
    return load.linear({.weight = "visual.attnpool." + name + ".weight",
                        .bias = "visual.attnpool." + name + ".bias"});
  }
  static int grid_rows(const PixelBatch& pixels) {
    const int grid = pixels.size_px / 32;
    return grid * grid + 1;
  }

  // The mean pixel asks, all pixels answer: (B,H,W,C) -> (B,E).
  Tensor attention_pool(B& b, const Map& x, const Segments& segments) const {
    const Tensor rows = b.mean_and_positions(x, positional_embedding_);
    const Tensor q = b.linear(b.take_rows(rows, segments.first_rows()), q_proj_, Activation::kNone);
    const Tensor k = b.linear(rows, k_proj_, Activation::kNone);
    const Tensor v = b.linear(rows, v_proj_, Activation::kNone);
    return b.linear(b.pool_attention(q, k, v, segments, heads_), c_proj_, Activation::kNone);
  }

  int heads_;
  typename B::Conv conv1_;
  typename B::Conv conv2_;
  typename B::Conv conv3_;
  std::vector<Bottleneck<B>> blocks_;
  typename B::Table positional_embedding_;
  typename B::Linear q_proj_;
  typename B::Linear k_proj_;
  typename B::Linear v_proj_;
  typename B::Linear c_proj_;
};

}  // namespace tandem
