// How each family lists its tensors for the weight table. Only for *_weights.cc and weights.cc.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/weights.h"

namespace tandem::weights {

using Shape = std::vector<std::int64_t>;

inline Init constant(double v) { return {Init::Kind::kConstant, v}; }
inline Init normal(double std) { return {Init::Kind::kNormal, std}; }
inline Init uniform(double bound) { return {Init::Kind::kUniform, bound}; }
// PyTorch's default for Linear and Conv2d, kaiming_uniform(a=sqrt(5)): bound 1/sqrt(fan_in),
// weights and biases alike.
inline Init fan_in(double n) { return uniform(1.0 / std::sqrt(n)); }
// xavier_uniform, MultiheadAttention's in_proj.
inline Init xavier(double in, double out) { return uniform(std::sqrt(6.0 / (in + out))); }

// open_clip's rule: rank >= 2 and no "bn", "ln", "bias", "logit_scale" in the name.
inline bool decays(const std::string& name, const Shape& shape) {
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  return shape.size() >= 2 && !has("bn") && !has("ln") && !has("bias") && !has("logit_scale");
}

// Collects specs in checkpoint order.
class Builder {
 public:
  void add(const std::string& name, Shape shape, Init init, bool trainable = true) {
    const bool decay = trainable && decays(name, shape);
    specs_.push_back({name, std::move(shape), init, trainable, decay});
  }
  void norm(const std::string& prefix, int width) {
    add(prefix + ".weight", {width}, constant(1));
    add(prefix + ".bias", {width}, constant(0));
  }
  void batch_norm(const std::string& prefix, int channels, double weight) {
    add(prefix + ".weight", {channels}, constant(weight));
    add(prefix + ".bias", {channels}, constant(0));
    add(prefix + ".running_mean", {channels}, constant(0), false);
    add(prefix + ".running_var", {channels}, constant(1), false);
  }
  void conv(const std::string& name, int out, int in, int kernel) {
    add(name, {out, in, kernel, kernel}, fan_in(static_cast<double>(in) * kernel * kernel));
  }
  std::vector<WeightSpec> take() { return std::move(specs_); }

 private:
  std::vector<WeightSpec> specs_;
};

// How a tower initialises its blocks: the text tower scales by depth, the image tower keeps
// PyTorch's defaults.
struct BlockInit {
  Init in_proj, out_proj, c_fc, c_proj;
};

struct BlockShape {
  int width;
  int hidden;
  std::optional<double> layer_scale;
};

// CLIP's residual attention block.
void add_block(Builder& t, const std::string& scope, const BlockShape& s, const BlockInit& init);
// "visual.attn_pool." and, for two poolers, "visual.attn_pool_contrastive.".
void add_attention_poolers(Builder& t, const ModelConfig& config);

// The families' tensors, each in its own file; weights.cc calls them.
void add_coca_decoder(Builder& t, const ModelConfig& config);
void add_timm_vit(Builder& t, const ModelConfig& config);
void add_naflex(Builder& t, const ModelConfig& config);
void add_eva(Builder& t, const ModelConfig& config);
void add_fastvit(Builder& t, const ModelConfig& config);
void add_hf_text(Builder& t, const ModelConfig& config);

}  // namespace tandem::weights
