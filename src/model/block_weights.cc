// Tensors that OpenCLIP's transformers share: blocks, attentional pooling, CoCa's decoder.
#include <fmt/format.h>

#include "model/weight_builder.h"

namespace tandem {

std::vector<float> sine_grid(int grid, int width) {
  const int quarter = width / 4;
  std::vector<float> values(static_cast<std::size_t>(width) * (grid * grid + 1));
  for (int p = 0; p < grid * grid; ++p) {
    float* row = values.data() + static_cast<std::size_t>(p + 1) * width;
    for (int k = 0; k < quarter; ++k) {
      const double omega = 1.0 / std::pow(10'000.0, k / (width / 4.0));
      row[k] = static_cast<float>(std::sin(p % grid * omega));
      row[quarter + k] = static_cast<float>(std::cos(p % grid * omega));
      row[2 * quarter + k] = static_cast<float>(std::sin(p / grid * omega));
      row[3 * quarter + k] = static_cast<float>(std::cos(p / grid * omega));
    }
  }
  return values;
}

namespace weights {

void add_block(Builder& t, const std::string& scope, const BlockShape& s, const BlockInit& init) {
  const int d = s.width;
  t.norm(scope + "ln_1", d);
  t.add(scope + "attn.in_proj_weight", {3 * d, d}, init.in_proj);
  t.add(scope + "attn.in_proj_bias", {3 * d}, constant(0));
  t.add(scope + "attn.out_proj.weight", {d, d}, init.out_proj);
  t.add(scope + "attn.out_proj.bias", {d}, constant(0));
  if (s.layer_scale) t.add(scope + "ls_1.gamma", {d}, constant(*s.layer_scale));
  t.norm(scope + "ln_2", d);
  t.add(scope + "mlp.c_fc.weight", {s.hidden, d}, init.c_fc);
  t.add(scope + "mlp.c_fc.bias", {s.hidden}, fan_in(d));
  t.add(scope + "mlp.c_proj.weight", {d, s.hidden}, init.c_proj);
  t.add(scope + "mlp.c_proj.bias", {d}, fan_in(s.hidden));
  if (s.layer_scale) t.add(scope + "ls_2.gamma", {d}, constant(*s.layer_scale));
}

namespace {

// PyTorch's MultiheadAttention stores one input matrix when queries are as wide as keys, else
// three.
void add_pooler(Builder& t, const std::string& scope, int rows_width, int width, int queries) {
  t.add(scope + "query", {queries, width}, normal(1));
  if (rows_width == width) {
    t.add(scope + "attn.in_proj_weight", {3 * width, width}, xavier(width, 3.0 * width));
  } else {
    t.add(scope + "attn.q_proj_weight", {width, width}, xavier(width, width));
    t.add(scope + "attn.k_proj_weight", {width, rows_width}, xavier(rows_width, width));
    t.add(scope + "attn.v_proj_weight", {width, rows_width}, xavier(rows_width, width));
  }
  t.add(scope + "attn.in_proj_bias", {3 * width}, constant(0));
  t.add(scope + "attn.out_proj.weight", {width, width}, fan_in(width));
  t.add(scope + "attn.out_proj.bias", {width}, constant(0));
  t.norm(scope + "ln_q", width);
  t.norm(scope + "ln_k", rows_width);
}

}  // namespace

void add_attention_poolers(Builder& t, const ModelConfig& config) {
  const VisionConfig& v = config.vision;
  add_pooler(t, "visual.attn_pool.", v.width, config.embed_dim, v.pooler_queries);
  if (v.attention_pool == VisionConfig::AttentionPool::kPlain) return;
  add_pooler(t, "visual.attn_pool_contrastive.", v.width, config.embed_dim, 1);
}

// The projection's start is MultimodalTransformer.init_parameters' (which open_clip 3.3 never
// calls: it leaves that tensor uninitialised).
void add_coca_decoder(Builder& t, const ModelConfig& config) {
  const MultimodalConfig& m = *config.multimodal;
  const int hidden = 4 * m.width;
  const BlockInit init{xavier(m.width, 3.0 * m.width), fan_in(m.width), fan_in(m.width),
                       fan_in(hidden)};
  for (int i = 0; i < m.layers; ++i) {
    const BlockShape shape{m.width, hidden, m.layer_scale};
    add_block(t, fmt::format("text_decoder.resblocks.{}.", i), shape, init);
    const std::string cross = fmt::format("text_decoder.cross_attn.{}.", i);
    add_block(t, cross, shape, init);
    t.norm(cross + "ln_1_kv", m.width);
  }
  t.norm("text_decoder.ln_final", m.width);
  t.add("text_decoder.text_projection", {m.width, config.text.vocab_size},
        normal(1.0 / std::sqrt(m.width)));
}

}  // namespace weights
}  // namespace tandem
