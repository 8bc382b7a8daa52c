#include "engine/torch/conv_norm.h"

#include <cmath>
#include <optional>
#include <torch/csrc/autograd/custom_function.h>
#include <vector>

#include "engine/torch/backend.h"
#include "engine/torch/batch_norm_kernels.h"

namespace tandem {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double kEps = 1e-5;
constexpr double kMomentum = 0.1;

RowShape rows_of(const at::Tensor& x) {
  return {static_cast<std::size_t>(x.size(0) * x.size(2) * x.size(3)),
          static_cast<std::size_t>(x.size(1))};
}

const std::uint16_t* bits(const at::Tensor& x) {
  return static_cast<const std::uint16_t*>(x.const_data_ptr());
}
std::uint16_t* mutable_bits(at::Tensor& x) {
  return static_cast<std::uint16_t*>(x.mutable_data_ptr());
}

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

// PyTorch's update: running variance is the unbiased one.
void move_statistics(const at::Tensor& running, const std::vector<double>& value, double factor) {
  float* out = running.data_ptr<float>();
  for (std::size_t c = 0; c < value.size(); ++c) {
    out[c] = static_cast<float>((1 - kMomentum) * out[c] + kMomentum * value[c] * factor);
  }
}

// relu(batch_norm(x) + residual) on batch statistics, bf16 with float32 parameters, in two passes
// over the data forward and two backward.
class FusedBatchNorm : public torch::autograd::Function<FusedBatchNorm> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& input, const at::Tensor& weight,
                            const at::Tensor& bias, const std::optional<at::Tensor>& residual,
                            const at::Tensor& running_mean, const at::Tensor& running_var,
                            bool relu) {
    const at::Tensor x = channels_last(input);
    const RowShape shape = rows_of(x);
    std::vector<double> mean(shape.channels);
    std::vector<double> variance(shape.channels);
    channel_statistics(shape, bits(x), mean.data(), variance.data());
    const auto n = static_cast<double>(shape.rows);
    move_statistics(running_mean, mean, 1);
    move_statistics(running_var, variance, n / (n - 1));

    at::Tensor saved = at::empty({2, static_cast<std::int64_t>(shape.channels)}, at::kDouble);
    std::vector<float> scale(shape.channels);
    std::vector<float> shift(shape.channels);
    for (std::size_t c = 0; c < shape.channels; ++c) {
      const double inverse = 1 / std::sqrt(variance[c] + kEps);
      saved.data_ptr<double>()[c] = mean[c];
      saved.data_ptr<double>()[shape.channels + c] = inverse;
      scale[c] = static_cast<float>(weight.const_data_ptr<float>()[c] * inverse);
      shift[c] = static_cast<float>(bias.const_data_ptr<float>()[c] - mean[c] * scale[c]);
    }
    const at::Tensor added = residual ? channels_last(*residual) : at::Tensor();
    at::Tensor y = at::empty_like(x);
    norm_apply(shape, bits(x),
               {scale.data(), shift.data(), added.defined() ? bits(added) : nullptr, relu},
               mutable_bits(y));
    ctx->save_for_backward({x, weight, saved, relu ? y : at::Tensor()});
    ctx->saved_data["residual"] = residual.has_value();
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor dy = channels_last(gradients[0]);
    const RowShape shape = rows_of(x);
    NormGradient in{bits(dy), saved[3].defined() ? bits(saved[3]) : nullptr, bits(x)};

    at::Tensor d_residual;
    std::uint16_t* masked = nullptr;
    if (ctx->saved_data["residual"].toBool()) {
      d_residual = in.y == nullptr ? dy : at::empty_like(dy);
      if (in.y != nullptr) masked = mutable_bits(d_residual);
    }
    std::vector<double> sum_g(shape.channels);
    std::vector<double> sum_gx(shape.channels);
    norm_gradient_sums(shape, in, sum_g.data(), sum_gx.data(), masked);
    if (masked != nullptr) in = {masked, nullptr, in.x};

    at::Tensor d_weight = at::empty({x.size(1)}, at::kFloat);
    at::Tensor d_bias = at::empty({x.size(1)}, at::kFloat);
    std::vector<float> a(shape.channels);
    std::vector<float> b(shape.channels);
    std::vector<float> k(shape.channels);
    const double* mean = saved[2].const_data_ptr<double>();
    const double* inverse = mean + shape.channels;
    for (std::size_t c = 0; c < shape.channels; ++c) {
      const double centred = sum_gx[c] - mean[c] * sum_g[c];
      const double scale = saved[1].const_data_ptr<float>()[c] * inverse[c];
      const double slope = -scale * inverse[c] * inverse[c] * centred / shape.rows;
      a[c] = static_cast<float>(scale);
      b[c] = static_cast<float>(slope);
      k[c] = static_cast<float>(-scale * sum_g[c] / shape.rows - slope * mean[c]);
      d_weight.data_ptr<float>()[c] = static_cast<float>(centred * inverse[c]);
      d_bias.data_ptr<float>()[c] = static_cast<float>(sum_g[c]);
    }
    at::Tensor dx = at::empty_like(x);
    norm_gradient_apply(shape, in, {a.data(), b.data(), k.data()}, mutable_bits(dx));
    return {dx, d_weight, d_bias, d_residual, {}, {}, {}};
  }
};

}  // namespace

at::Tensor batch_norm(const at::Tensor& x, const TorchConv& conv, const BatchNormOptions& options) {
  std::optional<at::Tensor> residual;
  if (options.residual != nullptr) residual = *options.residual;
  if (options.training && x.scalar_type() == at::kBFloat16 && x.is_cpu()) {
    return FusedBatchNorm::apply(x, conv.norm.weight, conv.norm.bias, residual, conv.running_mean,
                                 conv.running_var, options.relu);
  }
  at::Tensor y = at::batch_norm(x, conv.norm.weight, conv.norm.bias, conv.running_mean,
                                conv.running_var, options.training, kMomentum, kEps, false);
  if (residual) y = y + *residual;
  return options.relu ? at::relu_(y) : y;
}

}  // namespace tandem
