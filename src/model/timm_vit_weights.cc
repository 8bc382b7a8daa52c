#include <fmt/format.h>
#include <string>

#include "model/latent_pool_weights.h"
#include "model/timm_vit.h"

namespace tandem::weights {
namespace {

void add_stem(Builder& t, int width) {
  const std::string scope = "visual.trunk.patch_embed.backbone.";
  const int quarter = width / 4;
  t.conv(scope + "0.conv.weight", quarter, 3, 4);
  t.batch_norm(scope + "0.bn", quarter, 1);
  t.conv(scope + "1.conv.weight", quarter, quarter, 2);
  t.batch_norm(scope + "1.bn", quarter, 1);
  t.conv(scope + "2.conv.weight", width, quarter, 2);
  t.add(scope + "2.conv.bias", {width}, fan_in(4.0 * quarter));
}

void add_blocks(Builder& t, const VisionConfig& v) {
  const int d = v.width;
  const int hidden = static_cast<int>(d * v.mlp_ratio);
  for (int i = 0; i < v.layers; ++i) {
    const std::string block = fmt::format("visual.trunk.blocks.{}.", i);
    t.norm(block + "norm1", d);
    timm_linear(t, block + "attn.qkv", d, 3 * d);
    timm_linear(t, block + "attn.proj", d, d);
    t.norm(block + "norm2", d);
    timm_linear(t, block + "mlp.fc1", d, hidden);
    timm_linear(t, block + "mlp.fc2", hidden, d);
  }
}

}  // namespace

// As timm's init_weights_vit_timm: linear layers N(0, 0.02), the patch convolution PyTorch's own.
void add_timm_vit(Builder& t, const ModelConfig& config) {
  const VisionConfig& v = config.vision;
  const TimmVitModel& model = timm_vit_model(v);
  const TimmVitHead head = timm_vit_head(v);
  const std::string scope = "visual.trunk.";
  const int d = v.width;
  const int hidden = static_cast<int>(d * v.mlp_ratio);
  if (model.class_token()) t.add(scope + "cls_token", {1, 1, d}, normal(1e-6));
  t.add(scope + "pos_embed", {1, v.grid() * v.grid() + (model.clip ? 1 : 0), d}, normal(kTimmStd));
  if (model.stem) {
    add_stem(t, d);
  } else {
    t.conv(scope + "patch_embed.proj.weight", d, 3, v.patch_px);
  }
  if (model.clip) {
    t.norm(scope + "norm_pre", d);
  } else if (!model.stem) {
    t.add(scope + "patch_embed.proj.bias", {d}, fan_in(3.0 * v.patch_px * v.patch_px));
  }
  add_blocks(t, v);
  t.norm(scope + (head.norm_first ? "norm" : "fc_norm"), d);
  if (head.pool == "map") add_latent_pool(t, scope + "attn_pool.", d, hidden);
  add_timm_projection(t, config, normal(kTimmStd));
}

void add_naflex(Builder& t, const ModelConfig& config) {
  const VisionConfig& v = config.vision;
  const std::string scope = "visual.trunk.";
  const int d = v.width;
  const int pixels = 3 * v.patch_px * v.patch_px;
  t.add(scope + "embeds.pos_embed", {1, v.grid(), v.grid(), d}, normal(kTimmStd));
  t.add(scope + "embeds.proj.weight", {d, pixels}, normal(kTimmStd));
  t.add(scope + "embeds.proj.bias", {d}, fan_in(pixels));
  add_blocks(t, v);
  t.norm(scope + "norm", d);
  add_latent_pool(t, scope + "attn_pool.", d, static_cast<int>(d * v.mlp_ratio));
  add_timm_projection(t, config, normal(kTimmStd));
}

}  // namespace tandem::weights
