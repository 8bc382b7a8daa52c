// Learned queries that attend to a tower's rows (open_clip AttentionalPooler; CoCa, Yu et al.
// 2022).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/backend.h"

namespace tandem {

struct PoolerShape {
  int rows_width = 768;  // C: of the rows that are pooled
  int width = 512;       // E: of the queries and the result
  int queries = 256;     // Q
  int heads = 8;
};

template <Backend B>
class AttentionPooler {
 public:
  using Tensor = typename B::Tensor;

  AttentionPooler(typename B::Loader& load, const std::string& scope, const PoolerShape& shape)
      : shape_(shape),
        query_(load.table(scope + "query")),
        ln_q_(load.norm({.prefix = scope + "ln_q", .feeds_products = true})),
        ln_k_(load.norm({.prefix = scope + "ln_k", .feeds_products = true})),
        q_proj_(projection(load, scope, 0)),
        k_proj_(projection(load, scope, 1)),
        v_proj_(projection(load, scope, 2)),
        out_proj_(load.linear(
            {.weight = scope + "attn.out_proj.weight", .bias = scope + "attn.out_proj.bias"})) {}

  int queries() const { return shape_.queries; }

  // x: (T,C) -> (B*Q,E), Q rows a segment.
  Tensor run(B& b, const Tensor& x, const Segments& segments) const {
    std::vector<std::int32_t> each;
    for (int i = 0; i < segments.count(); ++i) {
      for (int q = 0; q < shape_.queries; ++q) each.push_back(q);
    }
    const auto [k, v] = keys_and_values(b, x);
    const Tensor q = b.take_rows(asked(b, b.repeat_rows(query_, 1)), each);
    return b.linear(b.cross_attention(q, Segments::uniform(segments.count(), shape_.queries), k, v,
                                      segments, shape_.heads),
                    out_proj_, Activation::kNone);
  }

  // x: (T,C) -> (B,E), of the first query alone: exact, as queries do not see each other.
  Tensor run_first(B& b, const Tensor& x, const Segments& segments) const {
    const std::vector<std::int32_t> first{0};
    const std::vector<std::int32_t> each(segments.count(), 0);
    const auto [k, v] = keys_and_values(b, x);
    const Tensor q = b.take_rows(asked(b, b.take_rows(b.repeat_rows(query_, 1), first)), each);
    return b.linear(b.pool_attention(q, k, v, segments, shape_.heads), out_proj_,
                    Activation::kNone);
  }

 private:
  // PyTorch's MultiheadAttention stores one matrix when queries are as wide as keys, else three.
  typename B::Linear projection(typename B::Loader& load, const std::string& scope,
                                int part) const {
    static constexpr const char* kApart[] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};
    const bool fused = shape_.rows_width == shape_.width;
    return load.linear({.weight = scope + "attn." + (fused ? "in_proj_weight" : kApart[part]),
                        .bias = scope + "attn.in_proj_bias",
                        .begin = part * shape_.width,
                        .end = (part + 1) * shape_.width});
  }

  Tensor asked(B& b, const Tensor& queries) const {
    return b.linear(b.layer_norm(queries, ln_q_), q_proj_, Activation::kNone);
  }

  std::pair<Tensor, Tensor> keys_and_values(B& b, const Tensor& x) const {
    const Tensor normed = b.layer_norm(x, ln_k_);
    Tensor k = b.linear(normed, k_proj_, Activation::kNone);
    return {std::move(k), b.linear(normed, v_proj_, Activation::kNone)};
  }

  PoolerShape shape_;
  typename B::Table query_;
  typename B::Norm ln_q_;
  typename B::Norm ln_k_;
  typename B::Linear q_proj_;
  typename B::Linear k_proj_;
  typename B::Linear v_proj_;
  typename B::Linear out_proj_;
};

}  // namespace tandem
