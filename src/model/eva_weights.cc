// The tensors of timm's Eva class (see eva.h), with its initialisation: truncated normal, 0.02, the
// outputs of each block divided by sqrt(2 * its number).
#include <cmath>
#include <fmt/format.h>

#include "model/eva.h"
#include "model/latent_pool_weights.h"

namespace tandem::weights {
namespace {

using Is = EvaModel::Kind;

void add_attention(Builder& t, const std::string& scope, const EvaModel& model, int d,
                   const Init& out) {
  if (model.is(Is::kEva02)) {
    timm_linear(t, scope + "q_proj", d, d);
    t.add(scope + "k_proj.weight", {d, d}, normal(kTimmStd));
    timm_linear(t, scope + "v_proj", d, d);
    t.norm(scope + "norm", d);
  } else {
    t.add(scope + "qkv.weight", {3 * d, d}, normal(kTimmStd));
    if (model.is(Is::kPerception)) {
      t.add(scope + "qkv.bias", {3 * d}, constant(0));
    } else {
      t.add(scope + "q_bias", {d}, constant(0));
      t.add(scope + "v_bias", {d}, constant(0));
    }
  }
  t.add(scope + "proj.weight", {d, d}, out);
  t.add(scope + "proj.bias", {d}, constant(0));
}

void add_mlp(Builder& t, const std::string& scope, const EvaModel& model, int d, int hidden,
             const Init& out) {
  if (model.is(Is::kEva02)) {
    timm_linear(t, scope + "fc1_g", d, hidden);
    timm_linear(t, scope + "fc1_x", d, hidden);
    t.norm(scope + "norm", hidden);
  } else {
    timm_linear(t, scope + "fc1", d, hidden);
  }
  t.add(scope + "fc2.weight", {d, hidden}, out);
  t.add(scope + "fc2.bias", {d}, constant(0));
}

}  // namespace

void add_eva(Builder& t, const ModelConfig& config) {
  const VisionConfig& v = config.vision;
  const EvaModel& model = eva_model(v);
  const EvaHead head = eva_head(v);
  const std::string scope = "visual.trunk.";
  const int d = v.width;
  const int hidden = static_cast<int>(d * v.mlp_ratio);
  if (model.class_token) t.add(scope + "cls_token", {1, 1, d}, normal(kTimmStd));
  t.add(scope + "pos_embed", {1, v.grid() * v.grid() + model.prefix(), d}, normal(kTimmStd));
  t.conv(scope + "patch_embed.proj.weight", d, 3, v.patch_px);
  if (model.is(Is::kPerception)) {
    t.norm(scope + "norm_pre", d);
  } else {
    t.add(scope + "patch_embed.proj.bias", {d}, fan_in(3.0 * v.patch_px * v.patch_px));
  }
  for (int i = 0; i < v.layers; ++i) {
    const std::string block = fmt::format("{}blocks.{}.", scope, i);
    const Init out = normal(kTimmStd / std::sqrt(2.0 * (i + 1)));
    t.norm(block + "norm1", d);
    add_attention(t, block + "attn.", model, d, out);
    t.norm(block + "norm2", d);
    add_mlp(t, block + "mlp.", model, d, hidden, out);
  }
  t.norm(scope + (head.norm_first ? "norm" : "fc_norm"), d);
  if (head.pool == "map") add_latent_pool(t, scope + "attn_pool.", d, 4 * d);
  add_timm_projection(t, config, normal(kTimmStd * 0.001));
}

}  // namespace tandem::weights
