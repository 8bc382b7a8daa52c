#include "model/fastvit.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "model/timm.h"

namespace tandem {
namespace {

// timm 1.0.31 models/fastvit.py.
constexpr std::array kModels{
    FastVitModel{"fastvit_mci0", 4, {2, 6, 10, 2, 0}, 64, 3},
    FastVitModel{"fastvit_mci1", 4, {4, 12, 20, 4, 0}, 64, 3},
    FastVitModel{"fastvit_mci2", 4, {4, 12, 24, 4, 0}, 80, 3},
    FastVitModel{"fastvit_mci3", 5, {2, 12, 24, 4, 2}, 96, 4, 3, false, true},
    FastVitModel{"fastvit_mci4", 5, {2, 12, 24, 4, 4}, 128, 4, 3, false, true},
};

constexpr int kHead = 32;      // timm fastvit.py Attention, head_dim
constexpr double kEps = 1e-5;  // of batch norms

// One convolution's values while its branches are added up.
struct Kernel {
  std::vector<double> weights;  // (out, in/groups, k, k)
  std::vector<double> bias;     // (out)
};

// Takes the branches of `conv` out of the map.
class Folder {
 public:
  Folder(TensorMap& map, const FastVitConv& conv) : map_(map), conv_(conv) {}

  bool done() const { return map_.contains(conv_.scope + "reparam_conv.weight"); }

  Kernel empty() const {
    const auto out = static_cast<std::size_t>(conv_.out);
    return {std::vector<double>(out * area() * inputs()), std::vector<double>(out)};
  }

  // Adds scale * batch_norm(convolution `scope`conv of k x k), in the middle. None: nothing.
  bool add_conv(const std::string& scope, int k, Kernel& sum) {
    if (!map_.contains(scope + "conv.weight")) return false;
    const auto w = take(scope + "conv.weight", {conv_.out, inputs(), k, k});
    const int edge = (conv_.kernel - k) / 2;
    const Affine norm = take_norm(scope + "bn.", conv_.out);
    for (int o = 0; o < conv_.out; ++o) {
      for (int i = 0; i < inputs(); ++i) {
        for (int y = 0; y < k; ++y) {
          for (int x = 0; x < k; ++x)
            at(sum, o, i, y + edge, x + edge) +=
                norm.scale[o] * w[((static_cast<std::size_t>(o) * inputs() + i) * k + y) * k + x];
        }
      }
      sum.bias[o] += norm.shift[o];
    }
    return true;
  }

  // Adds batch_norm(x), of a convolution from channels to as many.
  void add_identity(const std::string& scope, Kernel& sum) {
    if (!map_.contains(scope + "weight")) return;
    const Affine norm = take_norm(scope, conv_.out);
    for (int o = 0; o < conv_.out; ++o) {
      middle(sum, o) += norm.scale[o];
      sum.bias[o] += norm.shift[o];
    }
  }

  // The branches of a MobileOneBlock or a ReparamLargeKernelConv under `scope`.
  void add_branches(const std::string& scope, Kernel& sum) {
    int n = 0;
    while (add_conv(fmt::format("{}conv_kxk.{}.", scope, n), conv_.kernel, sum)) ++n;
    add_conv(scope + "conv_scale.", 1, sum);
    add_conv(scope + "large_conv.", conv_.kernel, sum);
    add_conv(scope + "small_conv.", 3, sum);
    add_identity(scope + "identity.", sum);
  }

  double& middle(Kernel& k, int o) {
    return at(k, o, o % inputs(), conv_.kernel / 2, conv_.kernel / 2);
  }
  std::vector<float> take(const std::string& name, const std::vector<std::int64_t>& shape) {
    const TensorView& view = map_.at(name);
    if (view.shape != shape) {
      throw Error(Kind::kCorrupt, fmt::format("tensor \"{}\" has not the shape that its branches "
                                              "need. The file does not fit its configuration.",
                                              name));
    }
    std::vector<float> values = to_float(view);
    map_.tensors.erase(name);
    return values;
  }

  void put(const Kernel& k) {
    map_.add_float(conv_.scope + "reparam_conv.weight",
                   {conv_.out, inputs(), conv_.kernel, conv_.kernel},
                   {k.weights.begin(), k.weights.end()});
    map_.add_float(conv_.scope + "reparam_conv.bias", {conv_.out}, {k.bias.begin(), k.bias.end()});
  }

 private:
  struct Affine {
    std::vector<double> scale;
    std::vector<double> shift;
  };
  Affine take_norm(const std::string& scope, int channels) {
    const auto gain = take(scope + "weight", {channels});
    const auto bias = take(scope + "bias", {channels});
    const auto mean = take(scope + "running_mean", {channels});
    const auto variance = take(scope + "running_var", {channels});
    map_.tensors.erase(scope + "num_batches_tracked");
    Affine a;
    for (int c = 0; c < channels; ++c) {
      a.scale.push_back(gain[c] / std::sqrt(variance[c] + kEps));
      a.shift.push_back(bias[c] - mean[c] * a.scale.back());
    }
    return a;
  }
  int inputs() const { return conv_.in / conv_.groups; }
  std::size_t area() const { return static_cast<std::size_t>(conv_.kernel) * conv_.kernel; }
  double& at(Kernel& k, int o, int i, int y, int x) const {
    const auto filter = static_cast<std::size_t>(o) * inputs() + i;
    return k.weights[filter * area() + static_cast<std::size_t>(y) * conv_.kernel + x];
  }

  TensorMap& map_;
  const FastVitConv& conv_;
};

void fold_branches(TensorMap& map, const FastVitConv& conv) {
  Folder fold(map, conv);
  if (fold.done()) return;
  Kernel sum = fold.empty();
  fold.add_branches(conv.scope, sum);
  fold.put(sum);
}

// x + gamma (mixer(x) - norm(x)).
void fold_mixer(TensorMap& map, const FastVitConv& conv) {
  Folder fold(map, conv);
  if (fold.done()) return;
  Kernel mixed = fold.empty();
  Kernel norm = fold.empty();
  fold.add_branches(conv.scope + "mixer.", mixed);
  fold.add_branches(conv.scope + "norm.", norm);
  const auto gamma = fold.take(conv.scope + "layer_scale.gamma", {conv.out, 1, 1});
  const std::size_t each = mixed.weights.size() / conv.out;
  for (std::size_t i = 0; i < mixed.weights.size(); ++i)
    mixed.weights[i] = gamma[i / each] * (mixed.weights[i] - norm.weights[i]);
  for (int o = 0; o < conv.out; ++o) {
    fold.middle(mixed, o) += 1;
    mixed.bias[o] = gamma[o] * (mixed.bias[o] - norm.bias[o]);
  }
  fold.put(mixed);
}

// x + pos_enc(x).
void fold_positions(TensorMap& map, const FastVitConv& conv) {
  Folder fold(map, conv);
  if (fold.done()) return;
  Kernel sum = fold.empty();
  const auto w = fold.take(conv.scope + "pos_enc.weight", {conv.out, 1, conv.kernel, conv.kernel});
  const auto bias = fold.take(conv.scope + "pos_enc.bias", {conv.out});
  std::copy(w.begin(), w.end(), sum.weights.begin());
  std::copy(bias.begin(), bias.end(), sum.bias.begin());
  for (int o = 0; o < conv.out; ++o) fold.middle(sum, o) += 1;
  fold.put(sum);
}

}  // namespace

const FastVitModel* find_fastvit(std::string_view name) {
  for (const FastVitModel& model : kModels) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

const FastVitModel& fastvit_model(const VisionConfig& vision) {
  const FastVitModel* model = find_fastvit(vision.timm.model);
  if (model == nullptr) {
    throw Error(Kind::kInternal,
                fmt::format("timm_model_name {} is not a FastViT.", vision.timm.model));
  }
  return *model;
}

std::vector<std::string> fastvit_names() {
  std::vector<std::string> names;
  for (const FastVitModel& model : kModels) names.emplace_back(model.name);
  return names;
}

bool describe_fastvit(VisionConfig& vision) {
  const FastVitModel* model = find_fastvit(vision.timm.model);
  if (model == nullptr) return false;
  if (vision.timm.pool != "avg" || !vision.timm.projection.empty()) {
    throw Error(Kind::kUnsupported,
                fmt::format("{}: timm_pool \"{}\" with timm_proj \"{}\" is not supported. Expected "
                            "\"avg\" with null, as MobileCLIP has it.",
                            vision.timm.model, vision.timm.pool, vision.timm.projection));
  }
  vision.family = VisionFamily::kFastVit;
  vision.width = model->width;
  vision.layers = *std::max_element(model->layers.begin(), model->layers.end());
  vision.head_width = kHead;
  vision.mlp_ratio = model->mlp_ratio;
  vision.patch_px = 2 << model->stages;
  if (vision.image_size_px == 0) vision.image_size_px = 256;
  if (vision.image_size_px % vision.patch_px != 0) {
    throw Error(Kind::kUnsupported,
                fmt::format("{}: image_size {} is not supported. Expected a "
                            "multiple of {}.",
                            vision.timm.model, vision.image_size_px, vision.patch_px));
  }
  return true;
}

std::array<FastVitConv, 3> fastvit_stem(const VisionConfig& v) {
  const std::string scope = std::string(FastVitScope::kTrunk) + "stem.";
  const int d = v.width;
  return {FastVitConv{scope + "0.", 3, d, 3, 2, 1}, FastVitConv{scope + "1.", d, d, 3, 2, d},
          FastVitConv{scope + "2.", d, d, 1, 1, 1}};
}

FastVitConv fastvit_large(const VisionConfig& v, int stage) {
  const int in = fastvit_width(v, stage - 1);
  return {FastVitScope::stage(stage) + "downsample.proj.0.", in, 2 * in, 7, 2, in};
}

FastVitConv fastvit_small(const VisionConfig& v, int stage) {
  const int d = fastvit_width(v, stage);
  return {FastVitScope::stage(stage) + "downsample.proj.1.", d, d, 1, 1, 1};
}

FastVitConv fastvit_positions(const VisionConfig& v, int stage) {
  const int d = fastvit_width(v, stage);
  return {FastVitScope::stage(stage) + "pos_emb.", d, d, 7, 1, d};
}

FastVitConv fastvit_mixer(const VisionConfig& v, int stage, int block) {
  const int d = fastvit_width(v, stage);
  return {FastVitScope::block(stage, block) + "token_mixer.", d, d, 3, 1, d};
}

FastVitConv fastvit_last(const FastVitModel& model, const VisionConfig& v) {
  const int d = fastvit_width(v, model.stages - 1);
  return {std::string(FastVitScope::kTrunk) + "final_conv.", d, 2 * d, 3, 1, d};
}

void reparameterise(const ModelConfig& config, TensorMap& weights) {
  const VisionConfig& v = config.vision;
  if (v.family != VisionFamily::kFastVit) return;
  const FastVitModel& model = fastvit_model(v);
  for (const FastVitConv& conv : fastvit_stem(v)) fold_branches(weights, conv);
  for (int i = 0; i < model.stages; ++i) {
    if (i > 0) {
      fold_branches(weights, fastvit_large(v, i));
      fold_branches(weights, fastvit_small(v, i));
    }
    if (model.attends(i)) fold_positions(weights, fastvit_positions(v, i));
    for (int j = 0; !model.attends(i) && j < fastvit_blocks(model, v, i); ++j)
      fold_mixer(weights, fastvit_mixer(v, i, j));
  }
  fold_branches(weights, fastvit_last(model, v));
}

}  // namespace tandem
