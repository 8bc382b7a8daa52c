#include "engine/torch/backend.h"

#include <cmath>
#include <vector>

#include "engine/torch/conv_norm.h"
#include "engine/torch/ragged_attention.h"

namespace tandem {
namespace {

constexpr std::size_t kRowStep = 128;

at::Tensor activate(const at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kGelu:
      return at::gelu(x);
    case Activation::kQuickGelu:
      return x * at::sigmoid(x * 1.702);  // 1.702: OpenAI CLIP's QuickGELU
    case Activation::kRelu:
      return at::relu(x);
    case Activation::kGeluTanh:
      return at::gelu(x, "tanh");
    case Activation::kSilu:
      return at::silu(x);
  }
  return x;
}

at::Tensor convolve(const at::Tensor& x, const TorchConv& c) {
  return at::conv2d(x, c.weight, c.bias, c.stride, c.padding, /*dilation=*/1, c.groups);
}

struct LinearRows {
  at::Tensor weight;
  at::Tensor bias;  // undefined: none
};

// The rows that `l` and what follows it use. What has the rows' own length is whole.
LinearRows rows_of(const TorchLinear& l) {
  const std::int64_t count = l.end - l.begin;
  const bool slice = l.end > 0;
  const bool cut = slice && l.weight.size(0) != count;
  LinearRows rows{cut ? l.weight.narrow(0, l.begin, count) : l.weight, l.bias};
  if (slice && l.bias.defined() && l.bias.size(0) != count)
    rows.bias = l.bias.narrow(0, l.begin, count);
  if (l.more.empty()) return rows;
  std::vector<at::Tensor> weights{rows.weight};
  std::vector<at::Tensor> biases{rows.bias};
  bool any = rows.bias.defined();
  for (const TorchLinear& part : l.more) {
    LinearRows next = rows_of(part);
    any = any || next.bias.defined();
    weights.push_back(std::move(next.weight));
    biases.push_back(std::move(next.bias));
  }
  for (std::size_t i = 0; any && i < biases.size(); ++i) {
    if (!biases[i].defined()) biases[i] = weights[i].new_zeros({weights[i].size(0)});
  }
  return {at::cat(weights, 0), any ? at::cat(biases, 0) : at::Tensor()};
}

}  // namespace

TorchLinear TorchLoader::linear(const LinearSpec& spec) {
  TorchLinear l;
  l.weight = weights_.get(spec.weight, compute_);
  if (l.weight.dim() == 4) l.weight = l.weight.flatten(1);  // a convolution of one pixel
  if (!spec.bias.empty()) l.bias = weights_.get(spec.bias, compute_);
  if (!spec.layer_scale.empty())
    l.layer_scale = weights_.get(spec.layer_scale, at::kFloat).flatten();
  l.transposed = spec.transposed;
  l.begin = spec.begin;
  l.end = spec.end;
  for (const auto& [weight, bias, begin, end] : spec.more)
    l.more.push_back(linear({.weight = weight, .bias = bias, .begin = begin, .end = end}));
  return l;
}

TorchNorm TorchLoader::norm(const NormSpec& spec) {
  TorchNorm n;
  n.weight = weights_.get(spec.prefix + ".weight", at::kFloat);
  if (!spec.rms) n.bias = weights_.get(spec.prefix + ".bias", at::kFloat);
  n.eps = spec.eps;
  if (spec.batch) {
    n.running_mean = weights_.get(spec.prefix + ".running_mean", at::kFloat);
    n.running_var = weights_.get(spec.prefix + ".running_var", at::kFloat);
  }
  return n;
}

TorchConv TorchLoader::conv(const ConvSpec& spec) {
  TorchConv c;
  c.weight = weights_.get(spec.weight, compute_);
  if (spec.patches)
    c.weight = c.weight.view({-1, spec.kernel, spec.kernel, 3}).permute({0, 3, 1, 2});
  if (!spec.bias.empty()) c.bias = weights_.get(spec.bias, compute_);
  c.groups = spec.groups;
  c.stride = spec.stride;
  c.padding = spec.padding;
  if (!spec.norm.empty()) {
    c.norm = norm({.prefix = spec.norm});
    c.running_mean = weights_.get(spec.norm + ".running_mean", at::kFloat);
    c.running_var = weights_.get(spec.norm + ".running_var", at::kFloat);
  }
  return c;
}

at::Tensor TorchLoader::table(const std::string& name) {
  const at::Tensor t = weights_.get(name, at::kFloat);
  return t.dim() > 2 ? t.view({-1, t.size(-1)}) : t;
}

TorchBackend::TorchBackend(const PreprocessConfig& preprocess, const TorchBackendOptions& options)
    : normalise_(normalise_table(preprocess)), options_(options) {}

at::Tensor TorchBackend::indices(std::span<const std::int32_t> values) const {
  at::Tensor t = at::empty({static_cast<std::int64_t>(values.size())}, at::kInt);
  std::copy(values.begin(), values.end(), t.data_ptr<std::int32_t>());
  return t.to(options_.device);
}

at::Tensor TorchBackend::patch_embed(const PixelBatch& pixels, const Conv& conv) {
  if (!pixels.sizes.empty()) {
    std::vector<at::Tensor> rows;
    for (int i = 0; i < pixels.count; ++i) {
      const at::Tensor y =
          at::conv2d(pixel_map(pixels.part(i, i + 1)), conv.weight, conv.bias, conv.stride);
      rows.push_back(y.squeeze(0).flatten(1).t());
    }
    return at::cat(rows);
  }
  const at::Tensor y = at::conv2d(pixel_map(pixels), conv.weight, conv.bias, conv.stride);
  return y.flatten(2).transpose(1, 2).reshape({-1, y.size(1)});  // (B,D,g,g) -> (B*P,D)
}

at::Tensor TorchBackend::add_class_and_positions(const Tensor& x, const Table& cls,
                                                 const Table& positions) {
  const std::int64_t rows = positions.size(0);
  const std::int64_t width = positions.size(1);
  const at::Tensor patches = x.view({-1, rows - 1, width}).to(at::kFloat);
  const at::Tensor first = cls.view({1, 1, width}).expand({patches.size(0), 1, width});
  return (at::cat({first, patches}, 1) + positions).view({-1, width});
}

at::Tensor TorchBackend::embed_tokens(const TokenBatch& tokens, const Table& table,
                                      const Table& positions) {
  std::vector<std::int32_t> ids = tokens.ids;
  std::vector<std::int32_t> places(ids.size());
  for (int i = 0; i < tokens.count(); ++i) {
    for (int r = tokens.offsets[i]; r < tokens.offsets[i + 1]; ++r) {
      places[r] = r - tokens.offsets[i];
    }
  }
  // Rows that belong to no segment, and that nothing reads: libtorch generates kernels for every
  // new number of rows, and no two batches of captions have the same.
  const std::size_t rows = (ids.size() + kRowStep - 1) / kRowStep * kRowStep;
  ids.resize(rows);
  places.resize(rows);
  return at::embedding(table, indices(ids)) + at::embedding(positions, indices(places));
}

at::Tensor TorchBackend::layer_norm(const Tensor& x, const Norm& norm) {
  if (norm.running_mean.defined()) {
    return at::batch_norm(x.to(at::kFloat), norm.weight, norm.bias, norm.running_mean,
                          norm.running_var, options_.training, 0.1, norm.eps, false);
  }
  // float32: the residual stream's type, so that the statistics do not lose bits.
  if (!norm.bias.defined())
    return at::rms_norm(x.to(at::kFloat), {x.size(-1)}, norm.weight, norm.eps);
  return at::layer_norm(x.to(at::kFloat), {x.size(-1)}, norm.weight, norm.bias, norm.eps);
}

at::Tensor TorchBackend::linear(const Tensor& x, const Linear& l, Activation activation) {
  const auto [weight, bias] = rows_of(l);
  const at::Tensor input = x.to(weight.scalar_type());
  at::Tensor y = l.transposed ? at::matmul(input, weight) : at::linear(input, weight, bias);
  if (l.transposed && bias.defined()) y = y + bias;
  y = activate(y, activation);
  return l.layer_scale.defined() ? y * l.layer_scale : y;
}

at::Tensor TorchBackend::linear_add(const Tensor& x, const Linear& l, Tensor&& residual) {
  return residual + linear(x, l, Activation::kNone);
}

at::Tensor TorchBackend::self_attention(const Tensor& qkv, const Segments& segments, int heads,
                                        Mask mask) {
  return ragged_self_attention(qkv, segments, heads, mask);
}

at::Tensor TorchBackend::pool_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                        const Segments& segments, int heads) {
  return ragged_pool_attention(q, k, v, segments, heads);
}

at::Tensor TorchBackend::take_rows(const Tensor& x, std::span<const std::int32_t> rows) {
  return x.index_select(0, indices(rows));
}

at::Tensor TorchBackend::pixel_map(const PixelBatch& pixels) {
  const PictureSize size = pixels.size(0);  // of all
  const std::int64_t n = static_cast<std::int64_t>(pixels.count) * size.width * size.height;
  at::Tensor rows = at::empty({n, 3}, at::kFloat);
  float* out = rows.data_ptr<float>();
  const std::uint8_t* in = pixels.pixels.data();
  for (std::int64_t i = 0; i < n; ++i) {
    for (int c = 0; c < 3; ++c) out[i * 3 + c] = normalise_[c][in[i * 3 + c]];
  }
  return rows.view({pixels.count, size.height, size.width, 3})
      .permute({0, 3, 1, 2})
      .to(options_.device, options_.compute);
}

at::Tensor TorchBackend::conv(const Map& x, const Conv& conv, Activation activation) {
  const at::Tensor y = convolve(x, conv);
  if (!conv.norm.weight.defined()) return activate(y, activation);
  if (activation == Activation::kRelu) {
    return batch_norm(y, conv, {.training = options_.training, .relu = true});
  }
  return activate(batch_norm(y, conv, {.training = options_.training}), activation);
}

at::Tensor TorchBackend::conv_add_relu(const Map& x, const Conv& conv, const Map& residual) {
  const at::Tensor y = convolve(x, conv);
  if (!conv.norm.weight.defined()) return at::relu(y + residual);
  return batch_norm(y, conv, {.training = options_.training, .relu = true, .residual = &residual});
}

at::Tensor TorchBackend::avg_pool(const Map& x, int k) { return at::avg_pool2d(x, k); }

at::Tensor TorchBackend::mean_and_positions(const Map& x, const Table& positions) {
  const std::int64_t channels = x.size(1);
  const at::Tensor rows = x.flatten(2).transpose(1, 2).to(at::kFloat);  // (B,HW,C)
  return (at::cat({rows.mean(1, /*keepdim=*/true), rows}, 1) + positions).view({-1, channels});
}

}  // namespace tandem
