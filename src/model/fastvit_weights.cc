// The tensors of timm's FastVit class after reparameterize().
#include <algorithm>
#include <cmath>

#include "model/fastvit.h"
#include "model/weight_builder.h"

namespace tandem::weights {
namespace {

void add_folded(Builder& t, const FastVitConv& conv) {
  const ConvSpec spec = conv.spec();
  const int in = conv.in / conv.groups;
  t.conv(spec.weight, conv.out, in, conv.kernel);
  t.add(spec.bias, {conv.out}, fan_in(static_cast<double>(in) * conv.kernel * conv.kernel));
}

void add_pointwise(Builder& t, const std::string& name, int in, int out, const Init& init) {
  t.add(name + ".weight", {out, in, 1, 1}, init);
  t.add(name + ".bias", {out}, constant(0));
}

void add_excitation(Builder& t, const std::string& scope, int channels, int squeezed) {
  add_pointwise(t, scope + "fc1", channels, squeezed, fan_in(channels));
  add_pointwise(t, scope + "fc2", squeezed, channels, fan_in(squeezed));
}

// timm's make_divisible(channels / 4, 8), round_limit 0.
int squeezed_quarter(int channels) { return std::max(8, (channels / 4 + 4) / 8 * 8); }

void add_block(Builder& t, const FastVitModel& model, const VisionConfig& v, int stage, int block) {
  const std::string scope = FastVitScope::block(stage, block);
  const int d = fastvit_width(v, stage);
  const bool attends = model.attends(stage);
  if (!attends) add_folded(t, fastvit_mixer(v, stage, block));
  if (attends) {
    if (model.layer_norm) t.norm(scope + "norm", d);
    if (!model.layer_norm) t.batch_norm(scope + "norm", d, 1);
    t.add(scope + "token_mixer.qkv.weight", {3 * d, d}, normal(0.02));
    t.add(scope + "token_mixer.proj.weight", {d, d}, normal(0.02));
    t.add(scope + "token_mixer.proj.bias", {d}, constant(0));
    t.add(scope + "layer_scale_1.gamma", {d, 1, 1}, constant(1e-5));
  }
  t.add(scope + "mlp.conv.conv.weight", {d, 1, 7, 7}, normal(0.02));
  t.batch_norm(scope + "mlp.conv.bn", d, 1);
  const int hidden = d * model.mlp_ratio;
  add_pointwise(t, scope + "mlp.fc1", d, hidden, normal(0.02));
  add_pointwise(t, scope + "mlp.fc2", hidden, d, normal(0.02));
  t.add(scope + (attends ? "layer_scale_2.gamma" : "layer_scale.gamma"), {d, 1, 1}, constant(1e-5));
}

}  // namespace

void add_fastvit(Builder& t, const ModelConfig& config) {
  const VisionConfig& v = config.vision;
  const FastVitModel& model = fastvit_model(v);
  for (const FastVitConv& conv : fastvit_stem(v)) add_folded(t, conv);
  for (int i = 0; i < model.stages; ++i) {
    if (i > 0) {
      const FastVitConv large = fastvit_large(v, i);
      add_folded(t, large);
      if (model.excites(i))
        add_excitation(t, large.scope + "se.", large.out, squeezed_quarter(large.out));
      add_folded(t, fastvit_small(v, i));
    }
    if (model.attends(i)) add_folded(t, fastvit_positions(v, i));
    for (int j = 0; j < fastvit_blocks(model, v, i); ++j) add_block(t, model, v, i, j);
  }
  const FastVitConv last = fastvit_last(model, v);
  add_folded(t, last);
  add_excitation(t, last.scope + "se.", last.out, last.out / 16);
  t.add("visual.trunk.head.fc.weight", {config.embed_dim, last.out}, normal(0.02));
  t.add("visual.trunk.head.fc.bias", {config.embed_dim}, constant(0));
}

}  // namespace tandem::weights
