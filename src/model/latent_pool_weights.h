// The tensors of latent_pool.h. Only for *_weights.cc.
#pragma once

#include <cmath>
#include <string>

#include "model/weight_builder.h"

namespace tandem::weights {

// timm's trunc_normal_(std=.02) for linear layers; two deviations' worth is hardly cut.
constexpr double kTimmStd = 0.02;

inline void timm_linear(Builder& t, const std::string& name, int in, int out) {
  t.add(name + ".weight", {out, in}, normal(kTimmStd));
  t.add(name + ".bias", {out}, constant(0));
}

inline void add_latent_pool(Builder& t, const std::string& scope, int width, int hidden) {
  t.add(scope + "latent", {1, 1, width}, normal(1.0 / std::sqrt(width)));
  timm_linear(t, scope + "q", width, width);
  timm_linear(t, scope + "kv", width, 2 * width);
  timm_linear(t, scope + "proj", width, width);
  t.norm(scope + "norm", width);
  timm_linear(t, scope + "mlp.fc1", width, hidden);
  timm_linear(t, scope + "mlp.fc2", hidden, width);
}

// `head`: how the trunk's own classifier starts.
inline void add_timm_projection(Builder& t, const ModelConfig& config, const Init& head) {
  const VisionConfig& v = config.vision;
  const int e = config.embed_dim;
  const std::string& how = v.timm.projection;
  if (how.empty()) {
    t.add("visual.trunk.head.weight", {e, v.width}, head);
    t.add("visual.trunk.head.bias", {e}, constant(0));
  }
  if (how == "linear") {
    t.add("visual.head.proj.weight", {e, v.width}, fan_in(v.width));
    if (v.timm.projection_bias) t.add("visual.head.proj.bias", {e}, fan_in(v.width));
  }
  if (how != "mlp") return;
  t.add("visual.head.mlp.fc1.weight", {2 * e, v.width}, fan_in(v.width));
  t.add("visual.head.mlp.fc1.bias", {2 * e}, fan_in(v.width));
  t.add("visual.head.mlp.fc2.weight", {e, 2 * e}, fan_in(2.0 * e));
  if (v.timm.projection_bias) t.add("visual.head.mlp.fc2.bias", {e}, fan_in(2.0 * e));
}

}  // namespace tandem::weights
