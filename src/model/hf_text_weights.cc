// The tensors of transformers' text encoders, with their own initialisation (initializer_range
// 0.02; T5: factors of the widths), and open_clip's projection.
#include <fmt/format.h>
#include <string>
#include <vector>

#include "core/error.h"
#include "model/hf_text.h"
#include "model/weight_builder.h"

namespace tandem::weights {
namespace {

constexpr double kStd = 0.02;  // initializer_range of BERT and RoBERTa

void add_linear(Builder& t, const std::string& prefix, int out, int in) {
  t.add(prefix + ".weight", {out, in}, normal(kStd));
  t.add(prefix + ".bias", {out}, constant(0));
}

void add_bert(Builder& t, const std::string& scope, const HfTextShape& s) {
  t.add(scope + "embeddings.word_embeddings.weight", {s.vocab_size, s.width}, normal(kStd));
  t.add(scope + "embeddings.position_embeddings.weight", {s.positions, s.width}, normal(kStd));
  t.add(scope + "embeddings.token_type_embeddings.weight", {s.types, s.width}, normal(kStd));
  t.norm(scope + "embeddings.LayerNorm", s.width);
  for (int i = 0; i < s.layers; ++i) {
    const std::string block = fmt::format("{}encoder.layer.{}.", scope, i);
    for (const char* name : {"query", "key", "value"})
      add_linear(t, block + "attention.self." + name, s.width, s.width);
    add_linear(t, block + "attention.output.dense", s.width, s.width);
    t.norm(block + "attention.output.LayerNorm", s.width);
    add_linear(t, block + "intermediate.dense", s.hidden, s.width);
    add_linear(t, block + "output.dense", s.width, s.hidden);
    t.norm(block + "output.LayerNorm", s.width);
  }
}

// Source: T5PreTrainedModel._init_weights.
void add_t5(Builder& t, const std::string& scope, const HfTextShape& s) {
  const int inner = s.heads * s.head_width;
  const double by_width = 1.0 / std::sqrt(s.width);
  t.add(scope + "embed_tokens.weight", {s.vocab_size, s.width}, normal(1));
  for (int i = 0; i < s.layers; ++i) {
    const std::string block = fmt::format("{}block.{}.", scope, i);
    const std::string attention = block + "layer.0.SelfAttention.";
    t.add(attention + "q.weight", {inner, s.width}, normal(by_width / std::sqrt(s.head_width)));
    t.add(attention + "k.weight", {inner, s.width}, normal(by_width));
    t.add(attention + "v.weight", {inner, s.width}, normal(by_width));
    t.add(attention + "o.weight", {s.width, inner}, normal(1.0 / std::sqrt(inner)));
    if (i == 0)
      t.add(attention + "relative_attention_bias.weight", {s.buckets, s.heads}, normal(by_width));
    t.add(block + "layer.0.layer_norm.weight", {s.width}, constant(1));
    const std::string mlp = block + "layer.1.DenseReluDense.";
    const auto wi =
        s.gated ? std::vector<std::string>{"wi_0", "wi_1"} : std::vector<std::string>{"wi"};
    for (const auto& name : wi)
      t.add(mlp + name + ".weight", {s.hidden, s.width}, normal(by_width));
    t.add(mlp + "wo.weight", {s.width, s.hidden}, normal(1.0 / std::sqrt(s.hidden)));
    t.add(block + "layer.1.layer_norm.weight", {s.width}, constant(1));
  }
  t.add(scope + "final_layer_norm.weight", {s.width}, constant(1));
}

}  // namespace

void add_hf_text(Builder& t, const ModelConfig& config) {
  const HfTextShape shape = hf_text_shape(config.text, "text_cfg");
  const std::string scope = config.text_scope() + "transformer.";
  if (shape.family == HfTextShape::Family::kT5)
    add_t5(t, scope, shape);
  else
    add_bert(t, scope, shape);
  const std::string projection = config.text_scope() + "proj";
  if (config.text.hf.projection == "linear") {
    t.add(projection + ".weight", {config.embed_dim, shape.width}, fan_in(shape.width));
  } else if (config.text.hf.projection == "mlp") {
    const int hidden = (shape.width + config.embed_dim) / 2;
    t.add(projection + ".0.weight", {hidden, shape.width}, fan_in(shape.width));
    t.add(projection + ".2.weight", {config.embed_dim, hidden}, fan_in(hidden));
  } else if (shape.width != config.embed_dim) {
    throw Error(Kind::kCorrupt,
                fmt::format("text_cfg.hf_proj_type: is \"none\", but the encoder is {} wide and "
                            "embed_dim is {}.",
                            shape.width, config.embed_dim));
  }
}

}  // namespace tandem::weights
