#include "model/weights.h"

#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>

#include "core/error.h"
#include "model/quantised.h"
#include "model/weight_builder.h"

namespace tandem {

using namespace weights;

namespace {

void add_vit(Builder& t, const ModelConfig& config) {
  const VisionConfig& v = config.vision;
  const double scale = 1.0 / std::sqrt(v.width);
  t.add("visual.class_embedding", {v.width}, normal(scale));
  t.add("visual.positional_embedding", {v.grid() * v.grid() + 1, v.width},
        v.sine_positions ? Init{Init::Kind::kSineGrid, 1.0 * v.grid()} : normal(scale),
        /*trainable=*/!v.sine_positions);
  const bool pools = v.attention_pool != VisionConfig::AttentionPool::kNone;
  const int pooled = pools ? config.embed_dim : v.width;
  t.add("visual.proj", {pooled, config.embed_dim}, normal(scale));
  t.conv("visual.conv1.weight", v.width, 3, v.patch_px);
  if (!v.no_ln_pre) t.norm("visual.ln_pre", v.width);
  const int hidden = static_cast<int>(v.width * v.mlp_ratio);
  const BlockInit init{xavier(v.width, 3.0 * v.width), fan_in(v.width), fan_in(v.width),
                       fan_in(hidden)};
  for (int i = 0; i < v.layers; ++i) {
    add_block(t, fmt::format("visual.transformer.resblocks.{}.", i),
              {v.width, hidden, v.layer_scale}, init);
  }
  t.norm("visual.ln_post", pooled);
  if (pools) add_attention_poolers(t, config);
}

// bn3 starts at zero, so that every bottleneck begins as the identity (open_clip
// ModifiedResNet.init_parameters).
void add_bottleneck(Builder& t, const std::string& scope, int in, int planes, bool downsample) {
  t.conv(scope + "conv1.weight", planes, in, 1);
  t.batch_norm(scope + "bn1", planes, 1);
  t.conv(scope + "conv2.weight", planes, planes, 3);
  t.batch_norm(scope + "bn2", planes, 1);
  t.conv(scope + "conv3.weight", planes * 4, planes, 1);
  t.batch_norm(scope + "bn3", planes * 4, 0);
  if (!downsample) return;
  t.conv(scope + "downsample.0.weight", planes * 4, in, 1);
  t.batch_norm(scope + "downsample.1", planes * 4, 1);
}

void add_resnet(Builder& t, const ModelConfig& config) {
  const VisionConfig& v = config.vision;
  const int half = v.width / 2;
  t.conv("visual.conv1.weight", half, 3, 3);
  t.batch_norm("visual.bn1", half, 1);
  t.conv("visual.conv2.weight", half, half, 3);
  t.batch_norm("visual.bn2", half, 1);
  t.conv("visual.conv3.weight", v.width, half, 3);
  t.batch_norm("visual.bn3", v.width, 1);
  int in = v.width;
  for (int stage = 0; stage < 4; ++stage) {
    const int planes = v.width << stage;
    for (int i = 0; i < v.stages[stage]; ++i) {
      add_bottleneck(t, fmt::format("visual.layer{}.{}.", stage + 1, i), in, planes, i == 0);
      in = planes * 4;
    }
  }
  const std::string pool = "visual.attnpool.";
  const double std = 1.0 / std::sqrt(in);
  t.add(pool + "positional_embedding", {v.grid() * v.grid() + 1, in}, normal(std));
  for (const char* name : {"k_proj", "q_proj", "v_proj"}) {
    t.add(pool + name + ".weight", {in, in}, normal(std));
    t.add(pool + name + ".bias", {in}, fan_in(in));
  }
  t.add(pool + "c_proj.weight", {config.embed_dim, in}, normal(std));
  t.add(pool + "c_proj.bias", {config.embed_dim}, fan_in(in));
}

void add_text(Builder& t, const ModelConfig& config) {
  const TextConfig& x = config.text;
  if (!x.hf.model.empty()) return add_hf_text(t, config);
  const std::string scope = config.text_scope();
  const int hidden = static_cast<int>(x.width * x.mlp_ratio);
  const double width_std = 1.0 / std::sqrt(x.width);
  const double proj_std = width_std / std::sqrt(2.0 * x.layers);
  const BlockInit init{normal(width_std), normal(proj_std), normal(1.0 / std::sqrt(2.0 * x.width)),
                       normal(proj_std)};
  for (int i = 0; i < x.layers; ++i) {
    add_block(t, fmt::format("{}transformer.resblocks.{}.", scope, i),
              {x.width, hidden, x.layer_scale}, init);
  }
  t.add(scope + "token_embedding.weight", {x.vocab_size, x.width}, normal(0.02));
  t.norm(scope + "ln_final", x.width);
  if (x.embed_class) t.add(scope + "cls_emb", {x.width}, normal(0.01));
  if (!x.projection || !x.projection_bias) return;
  t.add(scope + "text_projection.weight", {config.embed_dim, x.width}, normal(width_std));
  t.add(scope + "text_projection.bias", {config.embed_dim}, constant(0));
}

std::uint64_t name_stream(const std::string& name) {
  std::uint64_t h = 0xcbf29ce484222325U;  // FNV-1a
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return h;
}

void add_vision(Builder& t, const ModelConfig& config) {
  switch (config.vision.family) {
    case VisionFamily::kModifiedResNet:
      return add_resnet(t, config);
    case VisionFamily::kVit:
      return add_vit(t, config);
    case VisionFamily::kTimmVit:
      return add_timm_vit(t, config);
    case VisionFamily::kEva:
      return add_eva(t, config);
    case VisionFamily::kFastVit:
      return add_fastvit(t, config);
    case VisionFamily::kNaflex:
      return add_naflex(t, config);
  }
}

}  // namespace

std::vector<WeightSpec> weight_table(const ModelConfig& config) {
  Builder t;
  const TextConfig& x = config.text;
  if (x.hf.model.empty()) {
    t.add(config.text_scope() + "positional_embedding",
          {x.context_length + (x.embed_class ? 1 : 0), x.width}, normal(0.01));
    if (x.projection && !x.projection_bias) {
      t.add(config.text_scope() + "text_projection", {x.width, config.embed_dim},
            normal(1.0 / std::sqrt(x.width)));
    }
  }
  t.add("logit_scale", {}, constant(config.init_logit_scale));
  if (config.init_logit_bias) t.add("logit_bias", {}, constant(*config.init_logit_bias));
  add_vision(t, config);
  add_text(t, config);
  if (config.multimodal) add_coca_decoder(t, config);
  return t.take();
}

void check_weights(const std::vector<WeightSpec>& table, const TensorMap& map,
                   const std::string& where) {
  if (is_quantised(map)) return check_weights(table, quantised_form(map, where), where);
  std::set<std::string, std::less<>> known;
  for (const WeightSpec& spec : table) {
    known.insert(spec.name);
    const auto it = map.tensors.find(spec.name);
    if (it == map.tensors.end()) {
      throw Error(
          Kind::kCorrupt,
          fmt::format("{}: tensor \"{}\" is missing. The file does not fit its configuration.",
                      where, spec.name));
    }
    if (it->second.shape == spec.shape) continue;
    const bool scalar_as_vector = spec.shape.empty() && it->second.shape == Shape{1};
    if (scalar_as_vector) continue;
    throw Error(
        Kind::kCorrupt,
        fmt::format("{}: tensor \"{}\" has shape [{}]. Expected [{}] from its configuration.",
                    where, spec.name, fmt::join(it->second.shape, ","),
                    fmt::join(spec.shape, ",")));
  }
  for (const auto& [name, view] : map.tensors) {
    if (known.contains(name) || name == "attn_mask" || name.ends_with("num_batches_tracked"))
      continue;
    throw Error(
        Kind::kCorrupt,
        fmt::format(
            "{}: tensor \"{}\" is not part of this model. Another configuration was expected.",
            where, name));
  }
}

TensorMap initial_weights(const std::vector<WeightSpec>& table, const Rng& rng) {
  TensorMap map;
  for (const WeightSpec& spec : table) {
    Rng own = rng.split(name_stream(spec.name));
    std::int64_t count = 1;
    for (const std::int64_t n : spec.shape) count *= n;
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) {
      switch (spec.init.kind) {
        case Init::Kind::kConstant:
          value = static_cast<float>(spec.init.value);
          break;
        case Init::Kind::kNormal:
          value = static_cast<float>(spec.init.value * own.normal());
          break;
        case Init::Kind::kUniform:
          value = static_cast<float>(own.uniform(-spec.init.value, spec.init.value));
          break;
        case Init::Kind::kSineGrid:
          break;
      }
    }
    if (spec.init.kind == Init::Kind::kSineGrid)
      values = sine_grid(static_cast<int>(spec.init.value), static_cast<int>(spec.shape[1]));
    map.add_float(spec.name, spec.shape, std::move(values));
  }
  return map;
}

}  // namespace tandem
