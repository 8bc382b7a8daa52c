// The Backend concept on libtorch: eager tensors, autograd where gradients are enabled.
// Training runs batch norm on batch statistics and updates the running ones; otherwise the running
// statistics are used. Heavy to include: only engine/torch and the training step do.
#pragma once

#include <ATen/ATen.h>
#include <span>
#include <string>
#include <vector>

#include "model/backend.h"

namespace tandem {

// Where a loader finds its tensors. `dtype`: what the forward pass wants to multiply in; the source
// may hand out a copy of that type, or a leaf that collects gradients in it.
class TorchWeights {
 public:
  virtual ~TorchWeights() = default;
  virtual at::Tensor get(const std::string& name, at::ScalarType dtype) = 0;
  // Where the tensors are.
  virtual at::Device device() const { return at::kCPU; }
};

struct TorchLinear {
  at::Tensor weight;  // (out,in), or (in,out) when transposed
  at::Tensor bias;    // undefined: none
  // Outputs that follow those of `weight`. Never of a transposed one.
  std::vector<TorchLinear> more;
  at::Tensor layer_scale;
  bool transposed = false;
  int begin = 0;
  int end = 0;
};

struct TorchNorm {
  at::Tensor weight;
  at::Tensor bias;          // undefined: RMS norm
  at::Tensor running_mean;  // undefined but for batch norm
  at::Tensor running_var;
  double eps = 1e-5;
};

struct TorchConv {
  at::Tensor weight;  // (out,in/groups,k,k)
  at::Tensor bias;    // undefined: none
  TorchNorm norm;     // undefined tensors: none
  at::Tensor running_mean;
  at::Tensor running_var;
  int stride = 1;
  int padding = 0;
  int groups = 1;
};

class TorchLoader {
 public:
  // Matrix products and convolutions run in `compute`; norms, tables and statistics stay float32.
  TorchLoader(TorchWeights& weights, at::ScalarType compute)
      : weights_(weights), compute_(compute) {}

  TorchLinear linear(const LinearSpec& spec);
  TorchNorm norm(const NormSpec& spec);
  TorchConv conv(const ConvSpec& spec);
  at::Tensor table(const std::string& name);
  at::Tensor constant(std::vector<float> values, int width);

 private:
  TorchWeights& weights_;
  at::ScalarType compute_;
};

struct TorchBackendOptions {
  at::ScalarType compute = at::kFloat;
  at::Device device = at::kCPU;
  bool training = false;  // batch norm on batch statistics
};

// Maps are logical (B,C,H,W) in channels-last memory, in the compute type. Tensors of the residual
// streams are float32: bf16 sums drift over the depth of a tower.
class TorchBackend {
 public:
  using Tensor = at::Tensor;
  using Map = at::Tensor;
  using Linear = TorchLinear;
  using Norm = TorchNorm;
  using Conv = TorchConv;
  using Table = at::Tensor;
  using Loader = TorchLoader;

  TorchBackend(const PreprocessConfig& preprocess, const TorchBackendOptions& options);

  Tensor patch_embed(const PixelBatch& pixels, const Conv& conv);
  Tensor add_class_and_positions(const Tensor& x, const Table& cls, const Table& positions);
  // Returns more rows than tokens: up to the next multiple of 128, in no segment.
  Tensor embed_tokens(const TokenBatch& tokens, const Table& table, const Table& positions);
  Tensor embed_tokens(const TokenBatch& tokens, const Table& table);
  Tensor add_grid_positions(Tensor&& x, const Table& positions, std::span<const GridSize> grids);
  Tensor add_positions(Tensor&& x, const Table& positions, const Segments& segments);
  Tensor repeat_rows(const Table& table, int count);
  Tensor layer_norm(const Tensor& x, const Norm& norm);
  Tensor linear(const Tensor& x, const Linear& linear, Activation activation);
  Tensor linear_add(const Tensor& x, const Linear& linear, Tensor&& residual);
  Tensor self_attention(const Tensor& qkv, const Segments& segments, int heads, Mask mask);
  Tensor pool_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Segments& segments,
                        int heads);
  Tensor add(Tensor&& residual, const Tensor& x);
  Tensor gated(const Tensor& x, Activation activation);
  Tensor rotary(Tensor&& qkv, const Table& angles, const Segments& segments, int heads, int skip);
  Tensor cross_attention(const Tensor& q, const Segments& q_segments, const Tensor& k,
                         const Tensor& v, const Segments& segments, int heads);
  Tensor masked_attention(const Tensor& qkv, const Segments& segments, int heads,
                          std::span<const std::int32_t> hidden);
  Tensor append_row(const Tensor& x, const Segments& segments, const Table& row,
                    const Table& positions, int place);
  Tensor biased_attention(const Tensor& qkv, const Segments& segments, int heads, float scale,
                          const Table& bias, std::span<const std::int32_t> buckets);
  Tensor take_rows(const Tensor& x, std::span<const std::int32_t> rows);
  Tensor mean_rows(const Tensor& x, const Segments& segments);
  Tensor join_rows(const Tensor& x, const Tensor& y);
  Tensor scores(const Tensor& x, const Linear& linear);

  Map pixel_map(const PixelBatch& pixels);
  Map conv(const Map& x, const Conv& conv, Activation activation);
  Map conv_add_relu(const Map& x, const Conv& conv, const Map& residual);
  Map avg_pool(const Map& x, int k);
  Tensor mean_and_positions(const Map& x, const Table& positions);
  Tensor to_rows(Map&& x);
  Map to_map(const Tensor& x, int height, int width);
  Tensor mean_pixel(const Map& x);
  Map gate_channels(Map&& x, const Tensor& gates, Activation activation);

 private:
  at::Tensor indices(std::span<const std::int32_t> values) const;
  NormaliseTable normalise_;
  TorchBackendOptions options_;
};

static_assert(Backend<TorchBackend>);

}  // namespace tandem
