// What a model's forward pass needs from whoever runs it. The forward passes in this room are
// written once over this concept; engine/cpu implements it on oneDNN, engine/torch on libtorch
// (autograd, CUDA).
//
// Activations are ragged: one (T,D) tensor plus Segments, so a caption of 9 tokens costs 9 rows. A
// Loader turns named weights into handles once (packed, folded, on the device); a Backend runs one
// forward pass at a time with them.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/positions.h"
#include "preprocess/tokenizer.h"
#include "preprocess/transform.h"

namespace tandem {

// Segment i of a ragged tensor is rows [offsets[i], offsets[i+1]).
struct Segments {
  std::vector<std::int32_t> offsets;  // (B+1), begins with 0
  int max_length = 0;
  // Set where segments that begin alike share rows (share_prefixes): segment i attends to rows
  // path[path_offsets[i] .. path_offsets[i+1]), its own last. Only Transformer reads these.
  std::vector<std::int32_t> path;
  std::vector<std::int32_t> path_offsets;

  std::vector<std::int32_t> hidden;  // rows that nobody sees, ascending; causal attention only

  bool shared() const { return !path.empty(); }
  int count() const { return static_cast<int>(offsets.size()) - 1; }
  int rows() const { return offsets.back(); }
  static Segments uniform(int count, int length);
  static Segments of(const TokenBatch& tokens);
  static Segments of(std::span<const GridSize> grids);  // one a picture, a row a patch
  // The paths as segments of their own, and where in them each own row stands.
  Segments paths() const;
  std::vector<std::int32_t> own_rows_in_paths() const;
  std::vector<std::int32_t> first_rows() const;
  std::vector<std::int32_t> last_rows() const;
};

// One segment a text. Each shares the rows of the tokens with which it begins like the one before
// it (all but its last), so that templates cost what they differ in; exact under the causal mask.
// Sort the texts first.
Segments share_prefixes(const TokenBatch& tokens);

enum class Mask { kNone, kCausal };

// y = x W^T + b, W: (out,in) row-major. Rows [begin,end) of W and b when end > 0 (a slice of a
// fused projection); one of them that is as long as those rows is used whole.
struct LinearSpec {
  std::string weight;
  std::string bias = {};         // empty: none
  std::string layer_scale = {};  // gamma (out): y = gamma * (x W^T + b). Empty: none
  bool transposed = false;       // W is stored (in,out): "proj" and "text_projection"
  int begin = 0;
  int end = 0;
  // Matrices stored apart whose outputs follow those of `weight`: [q|k|v], [gate|value]. A bias of
  // "" among others that have one is zeros. Rows [begin,end) as above; a bias that is as long as
  // those rows is used whole (a fused qkv whose biases are stored apart).
  struct Part {
    std::string weight;
    std::string bias = {};
    int begin = 0;
    int end = 0;
  };
  std::vector<Part> more = {};
};

// Layer norm over a row with gain and bias, or RMS norm (no mean, no bias; Zhang & Sennrich 2019).
struct NormSpec {
  std::string prefix;  // of .weight and, unless rms, .bias
  double eps = 1e-5;
  bool rms = false;
  bool batch = false;  // batch norm of each column by its running statistics
  // What reads the result is matrix products only: the backend may round it to their type.
  bool feeds_products = false;
};

// 2-D convolution, followed by batch norm when `norm` is named (eps 1e-5): folded by the CPU
// backend, live in training. W: (out,in/groups,k,k).
struct ConvSpec {
  std::string weight;
  std::string norm = {};  // prefix of weight, bias, running_mean, running_var
  int kernel = 1;
  int stride = 1;
  int padding = 0;
  std::string bias = {};  // empty: none
  int groups = 1;
  bool patches = false;  // W is stored (out,k*k*in): over patches by row, column and channel
};

// Handles of weights: B::Linear, B::Norm, B::Conv, B::Table (a matrix or vector used by rows).
// Handles of activations: B::Tensor (T,D); B::Map (B,H,W,C). Both are move-only or cheap to copy.
template <typename B>
concept Backend = requires(
    B& b, typename B::Loader& load, const typename B::Tensor& x, typename B::Tensor&& residual,
    const typename B::Map& m, typename B::Map&& map, const typename B::Linear& linear,
    const typename B::Norm& norm, const typename B::Conv& conv, const typename B::Table& table,
    const PixelBatch& pixels, const TokenBatch& tokens, const Segments& segments,
    std::span<const std::int32_t> rows, std::span<const GridSize> grids) {
  { load.linear(LinearSpec{}) } -> std::same_as<typename B::Linear>;
  { load.norm(NormSpec{}) } -> std::same_as<typename B::Norm>;
  { load.conv(ConvSpec{}) } -> std::same_as<typename B::Conv>;
  { load.table(std::string{}) } -> std::same_as<typename B::Table>;
  // A table of constants that the family computes (sine positions, rotary angles): rows of `width`.
  { load.constant(std::vector<float>{}, int{}) } -> std::same_as<typename B::Table>;

  // Normalised pixels cut into non-overlapping patches and projected: (B*P, D), patches in
  // row-major order; pictures may differ in size.
  { b.patch_embed(pixels, conv) } -> std::same_as<typename B::Tensor>;
  // (B*P,D) -> (B*(P+1),D): the class embedding before each picture's patches, then positions
  // (P+1,D) added.
  { b.add_class_and_positions(x, table, table) } -> std::same_as<typename B::Tensor>;
  // Token rows plus positions counted from each segment's start: (T,D).
  { b.embed_tokens(tokens, table, table) } -> std::same_as<typename B::Tensor>;
  // The same without positions.
  { b.embed_tokens(tokens, table) } -> std::same_as<typename B::Tensor>;
  // Row r of each segment plus positions row r.
  { b.add_positions(std::move(residual), table, segments) } -> std::same_as<typename B::Tensor>;
  // The table's rows are a square grid: resized to that of each picture (resize_grid), and added to
  // its rows.
  { b.add_grid_positions(std::move(residual), table, grids) } -> std::same_as<typename B::Tensor>;
  // The table's rows, `count` times in a row: (count*rows, D). Learned queries of a pooler.
  { b.repeat_rows(table, int{}) } -> std::same_as<typename B::Tensor>;
  { b.layer_norm(x, norm) } -> std::same_as<typename B::Tensor>;
  { b.linear(x, linear, Activation::kNone) } -> std::same_as<typename B::Tensor>;
  // residual + linear(x): the residual's storage may be reused.
  { b.linear_add(x, linear, std::move(residual)) } -> std::same_as<typename B::Tensor>;
  // residual + x.
  { b.add(std::move(residual), x) } -> std::same_as<typename B::Tensor>;
  // x: (T,2H) as [gate|value] -> act(gate) * value: (T,H). SwiGLU (kSilu), GEGLU (kGeluTanh).
  { b.gated(x, Activation::kSilu) } -> std::same_as<typename B::Tensor>;
  // Rotary position embedding on q and k of qkv (T,3D), in pairs (2i, 2i+1) of each head: pair ->
  // (a cos - b sin, b cos + a sin). angles: (P, 2*head) rows of [cos|sin], each value given for
  // both of its pair; row p turns row skip+p of every segment, the first `skip` rows stay (class
  // token).
  {
    b.rotary(std::move(residual), table, segments, int{}, int{})
  } -> std::same_as<typename B::Tensor>;  // …, heads, skip)
  // Multi-head self-attention inside each segment; qkv: (T,3D) as [q|k|v], each split into heads.
  // Returns (T,D). Softmax scale 1/sqrt(D/heads).
  { b.self_attention(x, segments, int{}, Mask::kNone) } -> std::same_as<typename B::Tensor>;
  // One query a segment: q (B,D), k and v (T,D). Returns (B,D).
  { b.pool_attention(x, x, x, segments, int{}) } -> std::same_as<typename B::Tensor>;
  // Queries of segment i attend to the keys of segment i. q (Tq,D), k and v (Tk,D). Returns (Tq,D).
  { b.cross_attention(x, segments, x, x, segments, int{}) } -> std::same_as<typename B::Tensor>;
  // self_attention with softmax(scale q k^T + bias): table (buckets, heads), and for each distance
  // key - query from -(M-1) to M-1 its row (T5's relative positions). float32.
  {
    b.biased_attention(x, segments, int{}, float{}, table, rows)
  } -> std::same_as<typename B::Tensor>;  // …, heads, scale, bias, buckets)
  // Causal self_attention in which nobody sees the keys of `rows` (of qkv, ascending). Requires:
  // every row sees a key.
  { b.masked_attention(x, segments, int{}, rows) } -> std::same_as<typename B::Tensor>;
  // Each segment of x, then the row of the first table plus row `place` of the positions: (T+B,D).
  { b.append_row(x, segments, table, table, int{}) } -> std::same_as<typename B::Tensor>;
  { b.take_rows(x, rows) } -> std::same_as<typename B::Tensor>;
  // The rows of the first, then those of the second.
  { b.join_rows(x, x) } -> std::same_as<typename B::Tensor>;
  // linear() without activation whose result is float32 in every precision: scores to choose from.
  { b.scores(x, linear) } -> std::same_as<typename B::Tensor>;
  // Mean of the rows of each segment: (B,D).
  { b.mean_rows(x, segments) } -> std::same_as<typename B::Tensor>;

  { b.pixel_map(pixels) } -> std::same_as<typename B::Map>;  // normalised (B,S,S,3)
  { b.conv(m, conv, Activation::kRelu) } -> std::same_as<typename B::Map>;
  { b.conv_add_relu(m, conv, m) } -> std::same_as<typename B::Map>;  // relu(conv(x) + residual)
  { b.avg_pool(m, int{}) } -> std::same_as<typename B::Map>;         // k x k, stride k
  // (B,H,W,C) <-> (B*HW,C), pixels in row-major order.
  { b.to_rows(std::move(map)) } -> std::same_as<typename B::Tensor>;
  { b.to_map(x, int{}, int{}) } -> std::same_as<typename B::Map>;  // …, height, width)
  { b.mean_pixel(m) } -> std::same_as<typename B::Tensor>;         // (B,H,W,C) -> (B,C)
  // act(x * sigmoid(gates)), gates: (B,C) for every pixel (squeeze and excitation).
  { b.gate_channels(std::move(map), x, Activation::kGelu) } -> std::same_as<typename B::Map>;
  // (B,H,W,C) -> (B*(HW+1),C): each picture's mean, then its pixels in row-major order, plus
  // positions (HW+1,C).
  { b.mean_and_positions(m, table) } -> std::same_as<typename B::Tensor>;
};

}  // namespace tandem
