// CLIP's text transformer and its variants (open_clip TextTransformer). Ragged under the causal
// mask: no row is padding, which is exact because nothing after end of text can reach it.
// Bidirectional towers see their padding, so their segments are padded (TextConfig::reads_padding).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/transformer.h"

namespace tandem {

// The row of each segment that a tower pools. Requires: no empty segment.
std::vector<std::int32_t> pooled_rows(const TokenBatch& tokens, const TextConfig& config);

// The rows of a tower that pools a class row behind its tokens (embed_cls, CoCa): each text, one
// row of padding where open_clip's mask lets it be seen, and the class row, as segments with the
// rows that the mask hides. open_clip 3.3 shifts that mask by one row unless correct_cls_mask: a
// key is hidden when the token before it is padding, and so the first padding is seen and the class
// row is not.
struct ClassRows {
  TokenBatch tokens;  // without class rows
  Segments segments;  // with them
};
ClassRows class_rows(const TokenBatch& tokens, const TextConfig& config);
// The same mask over the tokens alone.
Segments masked_segments(const TokenBatch& tokens, const TextConfig& config);

template <Backend B>
class TextTransformer {
 public:
  using Tensor = typename B::Tensor;

  TextTransformer(typename B::Loader& load, const ModelConfig& config)
      : config_(config.text),
        token_embedding_(load.table(config.text_scope() + "token_embedding.weight")),
        positional_embedding_(load.table(config.text_scope() + "positional_embedding")),
        transformer_(load, config.text_scope() + "transformer.",
                     {.layers = config_.layers,
                      .width = config_.width,
                      .heads = config_.heads,
                      .activation = config.text_activation(),
                      .layer_scale = config_.layer_scale.has_value(),
                      .mask = config_.causal ? Mask::kCausal : Mask::kNone,
                      .eps = config_.eps},
                     pooled_early(config)),
        ln_final_(load.norm({.prefix = config.text_scope() + "ln_final", .eps = config_.eps})) {
    if (config_.projection) text_projection_.emplace(load.linear(projection(config)));
    if (config_.embed_class) class_embedding_.emplace(load.table(config.text_scope() + "cls_emb"));
    pooled_early_ = pooled_early(config);
  }

  // Computes common beginnings once where that saves an eighth of the rows; best with sorted texts.
  Tensor run_shared(B& b, const TokenBatch& tokens) const {
    const bool shares = config_.causal && config_.pool == TextConfig::Pool::kArgmax;
    if (!shares || !pooled_early_) return run(b, tokens);
    const Segments segments = share_prefixes(tokens);
    const auto all = static_cast<std::int32_t>(segments.path.size());
    if (segments.rows() > all - all / 8) return run(b, tokens);
    const Tensor every = b.embed_tokens(tokens, token_embedding_, positional_embedding_);
    return finish(b, b.take_rows(every, segments.own_rows_in_paths()), segments,
                  segments.last_rows());
  }

  // Requires: under the causal mask, each segment ends with the end-of-text id, its only one; else
  // each has context_length rows. Returns (B,E), not normalised.
  Tensor run(B& b, const TokenBatch& tokens) const {
    if (class_embedding_) return run_class(b, tokens);
    const Segments segments = Segments::of(tokens);
    return finish(b, b.embed_tokens(tokens, token_embedding_, positional_embedding_), segments,
                  pooled_rows(tokens, config_));
  }

  // What CoCa's decoder reads of each text: a row a token, (T,D); open_clip's second output.
  // Requires: a model with a decoder.
  Tensor run_tokens(B& b, const TokenBatch& tokens) const {
    const Segments segments =
        class_embedding_ ? masked_segments(tokens, config_) : Segments::of(tokens);
    Tensor x = transformer_.run(b, b.embed_tokens(tokens, token_embedding_, positional_embedding_),
                                segments);
    return class_embedding_ ? std::move(x) : b.layer_norm(x, ln_final_);
  }

  // The last row of each text of run_tokens, (B,D), where `past` holds the rows before. `rows`: as
  // Resblock::run_next has them.
  Tensor run_next(B& b, const TokenBatch& tokens, Past<B>& past,
                  std::span<const std::int32_t> rows) const {
    const Segments segments =
        class_embedding_ ? masked_segments(tokens, config_) : Segments::of(tokens);
    const Tensor every = b.embed_tokens(tokens, token_embedding_, positional_embedding_);
    Tensor x =
        transformer_.run_next(b, b.take_rows(every, segments.last_rows()), past, segments, rows);
    return class_embedding_ ? std::move(x) : b.layer_norm(x, ln_final_);
  }

 private:
  // Whether the last block needs but one row a text: not where a decoder reads them all, or where
  // rows behind the pooled one must not be seen.
  static bool pooled_early(const ModelConfig& config) {
    const bool first = config.text.causal && config.text.pool == TextConfig::Pool::kFirst;
    return !config.text.embed_class && !config.multimodal && !first;
  }

  Tensor finish(B& b, Tensor x, const Segments& segments,
                std::span<const std::int32_t> rows) const {
    x = pooled_early_ ? transformer_.run_pooled(b, std::move(x), segments, rows)
                      : b.take_rows(transformer_.run(b, std::move(x), segments), rows);
    x = b.layer_norm(x, ln_final_);
    return text_projection_ ? b.linear(x, *text_projection_, Activation::kNone) : std::move(x);
  }

  Tensor run_class(B& b, const TokenBatch& tokens) const {
    const ClassRows rows = class_rows(tokens, config_);
    Tensor x = b.append_row(b.embed_tokens(rows.tokens, token_embedding_, positional_embedding_),
                            Segments::of(rows.tokens), *class_embedding_, positional_embedding_,
                            config_.context_length);
    return finish(b, std::move(x), rows.segments, rows.segments.last_rows());
  }

  // A matrix (width, E), or with a bias a Linear.
  static LinearSpec projection(const ModelConfig& config) {
    const std::string name = config.text_scope() + "text_projection";
    if (!config.text.projection_bias) return {.weight = name, .transposed = true};
    return {.weight = name + ".weight", .bias = name + ".bias"};
  }

  TextConfig config_;
  typename B::Table token_embedding_;
  typename B::Table positional_embedding_;
  Transformer<B> transformer_;
  typename B::Norm ln_final_;
  std::optional<typename B::Linear> text_projection_;
  std::optional<typename B::Table> class_embedding_;
  bool pooled_early_ = true;
};

}  // namespace tandem
