// Text towers from transformers, as open_clip's HFTextEncoder uses them: BERT, RoBERTa and
// XLM-RoBERTa (post-norm, learned positions), T5 and mT5 encoders (RMS norms, relative positions).
// Padding is masked there and left out of the mean, so here it is not computed at all.
// Source: transformers 5.23 models/{bert,roberta,xlm_roberta,mt5}, open_clip 3.3 hf_model.py.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/backend.h"

namespace tandem {

// The encoder's config.json in numbers.
struct HfTextShape {
  enum class Family { kBert, kRoberta, kT5 } family = Family::kBert;
  int vocab_size = 0;
  int width = 0;
  int layers = 0;
  int heads = 0;
  int head_width = 0;  // T5's need not divide the width
  int hidden = 0;      // of the MLP
  int positions = 0;   // rows of learned positions; T5: 0, any length
  int types = 0;       // rows of token type embeddings, of which the first is used
  int pad_id = 0;
  double eps = 1e-12;
  int buckets = 32;        // T5: of relative distance
  int max_distance = 128;  // T5: where the last bucket begins
  bool gated = true;       // T5: GELU-gated MLP (mT5), else one matrix and ReLU
  // RoBERTa counts positions from behind its padding id.
  int first_position() const { return family == Family::kRoberta ? pad_id + 1 : 0; }
};

// By text.hf.shape where that is known, else by text.hf.model among the names of the table. Throws
// kUnsupported listing those names, or for what is not computed; kCorrupt for absurd numbers.
HfTextShape hf_text_shape(const TextConfig& text, const std::string& where);

// Checks the tower (pooler, projection, context length) and fills in what the shape says of the
// text: vocabulary, width, heads, layers, padding. Throws as hf_text_shape.
void describe_hf_text(TextConfig& text, const std::string& where);

// T5's bucket of each distance key - query from -(length-1) to length-1: (2*length-1).
std::vector<std::int32_t> t5_buckets(int length, int buckets, int max_distance);

// Tokens that look up row `id` once for each row of `tokens` (a token type), or each row's position
// counted from `id`.
TokenBatch constant_ids(const TokenBatch& tokens, int id);
TokenBatch position_ids(const TokenBatch& tokens, int id);

// One block of BERT.
template <Backend B>
class BertBlock {
 public:
  using Tensor = typename B::Tensor;

  BertBlock(typename B::Loader& load, const std::string& scope, const HfTextShape& shape)
      : heads_(shape.heads),
        qkv_(load.linear({.weight = scope + "attention.self.query.weight",
                          .bias = scope + "attention.self.query.bias",
                          .more = {{.weight = scope + "attention.self.key.weight",
                                    .bias = scope + "attention.self.key.bias"},
                                   {.weight = scope + "attention.self.value.weight",
                                    .bias = scope + "attention.self.value.bias"}}})),
        attention_out_(load.linear({.weight = scope + "attention.output.dense.weight",
                                    .bias = scope + "attention.output.dense.bias"})),
        attention_norm_(
            load.norm({.prefix = scope + "attention.output.LayerNorm", .eps = shape.eps})),
        up_(load.linear({.weight = scope + "intermediate.dense.weight",
                         .bias = scope + "intermediate.dense.bias"})),
        down_(load.linear(
            {.weight = scope + "output.dense.weight", .bias = scope + "output.dense.bias"})),
        norm_(load.norm({.prefix = scope + "output.LayerNorm", .eps = shape.eps})) {}

  // x: (T,D) -> (T,D).
  Tensor run(B& b, Tensor x, const Segments& segments) const {
    const Tensor attended =
        b.self_attention(b.linear(x, qkv_, Activation::kNone), segments, heads_, Mask::kNone);
    x = b.layer_norm(b.linear_add(attended, attention_out_, std::move(x)), attention_norm_);
    const Tensor hidden = b.linear(x, up_, Activation::kGelu);
    return b.layer_norm(b.linear_add(hidden, down_, std::move(x)), norm_);
  }

 private:
  int heads_;
  typename B::Linear qkv_;
  typename B::Linear attention_out_;
  typename B::Norm attention_norm_;
  typename B::Linear up_;
  typename B::Linear down_;
  typename B::Norm norm_;
};

template <Backend B>
class BertEncoder {
 public:
  using Tensor = typename B::Tensor;

  BertEncoder(typename B::Loader& load, const std::string& scope, const HfTextShape& shape)
      : first_position_(shape.first_position()),
        words_(load.table(scope + "embeddings.word_embeddings.weight")),
        positions_(load.table(scope + "embeddings.position_embeddings.weight")),
        types_(load.table(scope + "embeddings.token_type_embeddings.weight")),
        norm_(load.norm({.prefix = scope + "embeddings.LayerNorm", .eps = shape.eps})) {
    for (int i = 0; i < shape.layers; ++i)
      blocks_.emplace_back(load, scope + "encoder.layer." + std::to_string(i) + ".", shape);
  }

  Tensor run(B& b, const TokenBatch& tokens, const Segments& segments) const {
    Tensor x =
        b.add(b.embed_tokens(tokens, words_), b.embed_tokens(constant_ids(tokens, 0), types_));
    x = b.add(std::move(x), b.embed_tokens(position_ids(tokens, first_position_), positions_));
    x = b.layer_norm(x, norm_);
    for (const auto& block : blocks_) x = block.run(b, std::move(x), segments);
    return x;
  }

 private:
  int first_position_;
  typename B::Table words_;
  typename B::Table positions_;
  typename B::Table types_;
  typename B::Norm norm_;
  std::vector<BertBlock<B>> blocks_;
};

// One block of T5's encoder. No biases, and no scale on the scores: T5's initialisation holds it.
template <Backend B>
class T5Block {
 public:
  using Tensor = typename B::Tensor;

  T5Block(typename B::Loader& load, const std::string& scope, const HfTextShape& shape)
      : heads_(shape.heads),
        gated_(shape.gated),
        attention_norm_(load.norm(norm(scope + "layer.0.layer_norm", shape))),
        qkv_(load.linear({.weight = scope + "layer.0.SelfAttention.q.weight",
                          .more = {{.weight = scope + "layer.0.SelfAttention.k.weight"},
                                   {.weight = scope + "layer.0.SelfAttention.v.weight"}}})),
        attention_out_(load.linear({.weight = scope + "layer.0.SelfAttention.o.weight"})),
        norm_(load.norm(norm(scope + "layer.1.layer_norm", shape))),
        up_(load.linear(up(scope + "layer.1.DenseReluDense.", shape))),
        down_(load.linear({.weight = scope + "layer.1.DenseReluDense.wo.weight"})) {}

  Tensor run(B& b, Tensor x, const Segments& segments, const typename B::Table& bias,
             std::span<const std::int32_t> buckets) const {
    const Tensor qkv = b.linear(b.layer_norm(x, attention_norm_), qkv_, Activation::kNone);
    const Tensor attended = b.biased_attention(qkv, segments, heads_, 1.0F, bias, buckets);
    x = b.linear_add(attended, attention_out_, std::move(x));
    const Tensor normed = b.layer_norm(x, norm_);
    const Tensor hidden =
        gated_ ? b.gated(b.linear(normed, up_, Activation::kNone), Activation::kGeluTanh)
               : b.linear(normed, up_, Activation::kRelu);
    return b.linear_add(hidden, down_, std::move(x));
  }

 private:
  static NormSpec norm(const std::string& prefix, const HfTextShape& shape) {
    return {.prefix = prefix, .eps = shape.eps, .rms = true, .feeds_products = true};
  }
  static LinearSpec up(const std::string& scope, const HfTextShape& shape) {
    if (!shape.gated) return {.weight = scope + "wi.weight"};
    return {.weight = scope + "wi_0.weight", .more = {{.weight = scope + "wi_1.weight"}}};
  }

  int heads_;
  bool gated_;
  typename B::Norm attention_norm_;
  typename B::Linear qkv_;
  typename B::Linear attention_out_;
  typename B::Norm norm_;
  typename B::Linear up_;
  typename B::Linear down_;
};

template <Backend B>
class T5Encoder {
 public:
  using Tensor = typename B::Tensor;

  T5Encoder(typename B::Loader& load, const std::string& scope, const HfTextShape& shape,
            int context_length)
      : words_(load.table(scope + "embed_tokens.weight")),
        bias_(load.table(scope + "block.0.layer.0.SelfAttention.relative_attention_bias.weight")),
        buckets_(t5_buckets(context_length, shape.buckets, shape.max_distance)),
        norm_(load.norm({.prefix = scope + "final_layer_norm", .eps = shape.eps, .rms = true})) {
    for (int i = 0; i < shape.layers; ++i)
      blocks_.emplace_back(load, scope + "block." + std::to_string(i) + ".", shape);
  }

  Tensor run(B& b, const TokenBatch& tokens, const Segments& segments) const {
    Tensor x = b.embed_tokens(tokens, words_);
    for (const auto& block : blocks_) x = block.run(b, std::move(x), segments, bias_, buckets_);
    return b.layer_norm(x, norm_);
  }

 private:
  typename B::Table words_;
  typename B::Table bias_;
  std::vector<std::int32_t> buckets_;
  typename B::Norm norm_;
  std::vector<T5Block<B>> blocks_;
};

// The encoder, pooled and projected.
template <Backend B>
class HfText {
 public:
  using Tensor = typename B::Tensor;

  HfText(typename B::Loader& load, const ModelConfig& config)
      : mean_(config.text.hf.pooler == "mean_pooler") {
    const HfTextShape shape = hf_text_shape(config.text, "text_cfg");
    const std::string scope = config.text_scope() + "transformer.";
    if (shape.family == HfTextShape::Family::kT5)
      t5_.emplace(load, scope, shape, config.text.context_length);
    else
      bert_.emplace(load, scope, shape);
    const std::string projection = config.text_scope() + "proj";
    if (config.text.hf.projection == "linear")
      projection_.push_back(load.linear({.weight = projection + ".weight"}));
    if (config.text.hf.projection != "mlp") return;
    projection_.push_back(load.linear({.weight = projection + ".0.weight"}));
    projection_.push_back(load.linear({.weight = projection + ".2.weight"}));
  }

  // Requires: no padding among the tokens. Returns (B,E), not normalised.
  Tensor run(B& b, const TokenBatch& tokens) const {
    const Segments segments = Segments::of(tokens);
    Tensor x = t5_ ? t5_->run(b, tokens, segments) : bert_->run(b, tokens, segments);
    x = mean_ ? b.mean_rows(x, segments) : b.take_rows(x, segments.first_rows());
    for (std::size_t i = 0; i < projection_.size(); ++i) {
      const bool last = i + 1 == projection_.size();
      x = b.linear(x, projection_[i], last ? Activation::kNone : Activation::kGelu);
    }
    return x;
  }

 private:
  bool mean_;
  std::optional<BertEncoder<B>> bert_;
  std::optional<T5Encoder<B>> t5_;
  std::vector<typename B::Linear> projection_;  // none, one, or two with GELU between
};

}  // namespace tandem
