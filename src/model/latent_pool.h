// How timm's towers end: attention pooling by a learned query (timm AttentionPoolLatent, "map"),
// and the projection that open_clip's TimmModel adds ("visual.head.…") or leaves to the trunk.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "model/backend.h"

namespace tandem {

struct LatentPoolConfig {
  int width = 768;
  int heads = 8;
  Activation activation = Activation::kGelu;
  double eps = 1e-6;
};

template <Backend B>
class LatentPool {
 public:
  using Tensor = typename B::Tensor;

  LatentPool(typename B::Loader& load, const std::string& scope, const LatentPoolConfig& config)
      : config_(config),
        latent_(load.table(scope + "latent")),
        q_(load.linear({.weight = scope + "q.weight", .bias = scope + "q.bias"})),
        k_(load.linear(kv(scope, 0, config.width))),
        v_(load.linear(kv(scope, config.width, 2 * config.width))),
        proj_(load.linear({.weight = scope + "proj.weight", .bias = scope + "proj.bias"})),
        norm_(load.norm({.prefix = scope + "norm", .eps = config.eps, .feeds_products = true})),
        fc1_(load.linear({.weight = scope + "mlp.fc1.weight", .bias = scope + "mlp.fc1.bias"})),
        fc2_(load.linear({.weight = scope + "mlp.fc2.weight", .bias = scope + "mlp.fc2.bias"})) {}

  // x: (T,D) -> (B,D).
  Tensor run(B& b, const Tensor& x, const Segments& segments) const {
    const Tensor q = b.linear(b.repeat_rows(latent_, segments.count()), q_, Activation::kNone);
    const Tensor k = b.linear(x, k_, Activation::kNone);
    const Tensor v = b.linear(x, v_, Activation::kNone);
    Tensor y =
        b.linear(b.pool_attention(q, k, v, segments, config_.heads), proj_, Activation::kNone);
    const Tensor hidden = b.linear(b.layer_norm(y, norm_), fc1_, config_.activation);
    return b.linear_add(hidden, fc2_, std::move(y));
  }

 private:
  static LinearSpec kv(const std::string& scope, int begin, int end) {
    return {.weight = scope + "kv.weight", .bias = scope + "kv.bias", .begin = begin, .end = end};
  }

  LatentPoolConfig config_;
  typename B::Table latent_;
  typename B::Linear q_;
  typename B::Linear k_;
  typename B::Linear v_;
  typename B::Linear proj_;
  typename B::Norm norm_;
  typename B::Linear fc1_;
  typename B::Linear fc2_;
};

// VisionConfig::timm.projection: (B,D) -> (B,E).
template <Backend B>
class TimmProjection {
 public:
  using Tensor = typename B::Tensor;

  // `head`: the trunk's own classifier, for projection "".
  TimmProjection(typename B::Loader& load, const VisionConfig& config,
                 const std::string& head = "visual.trunk.head") {
    const auto& [model, pool, projection, with_bias] = config.timm;
    const std::string& how = projection;
    if (how.empty())
      last_.emplace(load.linear({.weight = head + ".weight", .bias = head + ".bias"}));
    if (how == "linear") {
      last_.emplace(load.linear(
          {.weight = "visual.head.proj.weight", .bias = with_bias ? "visual.head.proj.bias" : ""}));
    }
    if (how != "mlp") return;
    hidden_.emplace(
        load.linear({.weight = "visual.head.mlp.fc1.weight", .bias = "visual.head.mlp.fc1.bias"}));
    last_.emplace(load.linear({.weight = "visual.head.mlp.fc2.weight",
                               .bias = with_bias ? "visual.head.mlp.fc2.bias" : ""}));
  }

  Tensor run(B& b, Tensor x) const {
    if (hidden_) x = b.linear(x, *hidden_, Activation::kGelu);
    return last_ ? b.linear(x, *last_, Activation::kNone) : std::move(x);
  }

 private:
  std::optional<typename B::Linear> hidden_;
  std::optional<typename B::Linear> last_;
};

}  // namespace tandem
