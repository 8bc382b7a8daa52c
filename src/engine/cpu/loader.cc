#include <cmath>
#include <cstring>
#include <fmt/format.h>

#include "core/error.h"
#include "core/files.h"
#include "engine/cpu/backend.h"
#include "engine/cpu/instruction_set.h"
#include "model/quantised.h"

namespace tandem {
namespace {

void check_rank(const TensorView& view, const std::string& name, std::size_t rank) {
  if (view.shape.size() == rank) return;
  throw Error(Kind::kCorrupt,
              fmt::format("{}: has {} dimensions. Expected {}.", name, view.shape.size(), rank));
}

// A convolution of one pixel (out,in,1,1): a matrix.
bool is_pointwise(const TensorView& view) {
  return view.shape.size() == 4 && view.shape[2] == 1 && view.shape[3] == 1;
}

// The tensor's values where they lie; nothing unless they are float32 and aligned.
std::span<const float> in_place(const TensorView& view) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(view.bytes.data()) % alignof(float) == 0;
  if (view.dtype != DType::kF32 || !aligned) return {};
  return {reinterpret_cast<const float*>(view.bytes.data()),
          static_cast<std::size_t>(view.count())};
}

std::vector<float> vector_of(const TensorMap& weights, const std::string& name) {
  return to_float(weights.at(name));
}

// conv weights *= gain / sqrt(var + eps); bias = norm bias + (bias - mean) * that.
void fold_norm(const TensorMap& weights, const std::string& norm, CpuConv& conv) {
  const auto gain = vector_of(weights, norm + ".weight");
  const auto shift = vector_of(weights, norm + ".bias");
  const auto mean = vector_of(weights, norm + ".running_mean");
  const auto variance = vector_of(weights, norm + ".running_var");
  const std::size_t each = conv.weights.size() / conv.out;
  for (int o = 0; o < conv.out; ++o) {
    const double scale = gain[o] / std::sqrt(static_cast<double>(variance[o]) + 1e-5);
    for (std::size_t i = 0; i < each; ++i) conv.weights[o * each + i] *= static_cast<float>(scale);
    conv.bias[o] = static_cast<float>(shift[o] + (conv.bias[o] - mean[o]) * scale);
  }
}

// Keeps rows [begin,end) of values and bias; what has the rows' own length stays whole.
void cut(int begin, int end, int in, std::vector<float>& values, std::vector<float>& bias) {
  const auto at = [&](int row) { return values.begin() + static_cast<std::ptrdiff_t>(row) * in; };
  if (std::ssize(values) != static_cast<std::ptrdiff_t>(end - begin) * in)
    values = std::vector<float>(at(begin), at(end));
  if (!bias.empty() && std::ssize(bias) != end - begin)
    bias = std::vector<float>(bias.begin() + begin, bias.begin() + end);
}

// Adds the part's rows behind those there are; returns how many. Zeros where only one has a bias.
int append(const TensorMap& weights, const LinearSpec::Part& part, int in,
           std::vector<float>& values, std::vector<float>& bias) {
  const TensorView& view = weights.at(part.weight);
  check_rank(view, part.weight, 2);
  std::vector<float> rows = to_float(view);
  std::vector<float> own;
  if (!part.bias.empty()) own = vector_of(weights, part.bias);
  if (part.end > 0) cut(part.begin, part.end, in, rows, own);
  const std::size_t before = values.size() / in;
  const std::size_t count = rows.size() / in;
  values.insert(values.end(), rows.begin(), rows.end());
  if (bias.empty() && own.empty()) return static_cast<int>(count);
  bias.resize(before);
  own.resize(count);
  bias.insert(bias.end(), own.begin(), own.end());
  return static_cast<int>(count);
}

}  // namespace

CpuLinear CpuLoader::linear(const LinearSpec& spec) const {
  const TensorView& view = weights_.at(spec.weight);
  if (!is_pointwise(view)) check_rank(view, spec.weight, 2);
  if (view.dtype == DType::kI8) return linear_int8(spec);
  if (spec.more.empty() && spec.layer_scale.empty() && observer_ == nullptr &&
      !in_place(view).empty())
    return linear_in_place(spec);
  int in = static_cast<int>(view.shape[spec.transposed ? 0 : 1]);
  int out = static_cast<int>(view.shape[spec.transposed ? 1 : 0]);
  std::vector<float> values = to_float(view);
  drop_pages(view.bytes, view.file);
  std::vector<float> bias;
  if (!spec.bias.empty()) bias = vector_of(weights_, spec.bias);
  if (spec.end > 0) cut(spec.begin, spec.end, in, values, bias);
  if (spec.end > 0) out = spec.end - spec.begin;
  for (const LinearSpec::Part& part : spec.more) {
    out += append(weights_, part, in, values, bias);
  }
  if (!spec.layer_scale.empty()) {
    const auto gamma = vector_of(weights_, spec.layer_scale);
    for (int o = 0; o < out; ++o) {
      for (int i = 0; i < in; ++i) values[static_cast<std::size_t>(o) * in + i] *= gamma[o];
      if (!bias.empty()) bias[o] *= gamma[o];
    }
  }
  // The last projection is small, and what it loses shows: float32 always.
  CpuLinear linear =
      pack(values, in, out, spec.transposed ? Element::kF32 : type_, spec.transposed);
  linear.bias = std::move(bias);
  if (observer_ != nullptr && !spec.transposed) announce(linear, spec);
  return linear;
}

// Straight from the file's pages, which are then given back: a packed model and its file need not
// be in memory together.
CpuLinear CpuLoader::linear_in_place(const LinearSpec& spec) const {
  const TensorView& view = weights_.at(spec.weight);
  const int in = static_cast<int>(view.shape[spec.transposed ? 0 : 1]);
  int out = static_cast<int>(view.shape[spec.transposed ? 1 : 0]);
  std::span<const float> values = in_place(view);
  std::vector<float> bias;
  if (!spec.bias.empty()) bias = vector_of(weights_, spec.bias);
  if (spec.end > 0) {
    if (out != spec.end - spec.begin)
      values = values.subspan(static_cast<std::size_t>(spec.begin) * in,
                              static_cast<std::size_t>(spec.end - spec.begin) * in);
    out = spec.end - spec.begin;
    if (!bias.empty() && std::ssize(bias) != out)
      bias = std::vector<float>(bias.begin() + spec.begin, bias.begin() + spec.end);
  }
  CpuLinear linear =
      pack(values, in, out, spec.transposed ? Element::kF32 : type_, spec.transposed);
  linear.bias = std::move(bias);
  drop_pages(std::as_bytes(values), view.file);
  return linear;
}

CpuNorm CpuLoader::norm(const NormSpec& spec) const {
  CpuNorm norm;
  norm.gain = vector_of(weights_, spec.prefix + ".weight");
  if (!spec.rms) norm.bias = vector_of(weights_, spec.prefix + ".bias");
  norm.eps = static_cast<float>(spec.eps);
  norm.out = spec.feeds_products ? type_ : Element::kF32;
  if (spec.batch) {
    norm.batch = true;
    const auto mean = vector_of(weights_, spec.prefix + ".running_mean");
    const auto variance = vector_of(weights_, spec.prefix + ".running_var");
    for (std::size_t i = 0; i < norm.gain.size(); ++i) {
      norm.gain[i] /= std::sqrt(variance[i] + norm.eps);
      norm.bias[i] -= mean[i] * norm.gain[i];
    }
    return norm;
  }
  if (weights_.contains(smooth_name(spec.prefix))) make_smooth(norm, spec.prefix);
  if (observer_ != nullptr && spec.feeds_products) {
    norm.observer = observer_;
    norm.name = spec.prefix;
  }
  return norm;
}

CpuConv CpuLoader::patches(const ConvSpec& spec) const {
  const TensorView& view = weights_.at(spec.weight);
  check_rank(view, spec.weight, 2);
  CpuConv conv;
  conv.out = static_cast<int>(view.shape[0]);
  conv.in = 3;
  conv.kernel = conv.stride = spec.kernel;
  conv.type = type_;
  conv.bias = vector_of(weights_, spec.bias);
  const std::vector<float> values = to_float(view);
  const std::size_t area = static_cast<std::size_t>(spec.kernel) * spec.kernel;
  conv.weights.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {  // (out,area,3) -> (out,3,area)
    const std::size_t row = i / (3 * area);
    conv.weights[(row * 3 + i % 3) * area + i / 3 % area] = values[i];
  }
  conv.patches = pack_patches(conv);
  conv.weights.clear();
  return conv;
}

CpuConv CpuLoader::conv(const ConvSpec& spec) const {
  if (spec.patches) return patches(spec);
  const TensorView& view = weights_.at(spec.weight);
  check_rank(view, spec.weight, 4);
  CpuConv conv;
  conv.out = static_cast<int>(view.shape[0]);
  conv.in = static_cast<int>(view.shape[1]) * spec.groups;
  conv.groups = spec.groups;
  // Several outputs of one channel each: as many copies of the channel, for oneDNN's fast kernels.
  if (spec.groups > 1 && view.shape[1] == 1) conv.in = conv.groups = conv.out;
  conv.kernel = spec.kernel;
  conv.stride = spec.stride;
  conv.padding = spec.padding;
  conv.type = type_;
  conv.weights = to_float(view);
  conv.bias.assign(conv.out, 0.0F);
  if (!spec.bias.empty()) conv.bias = vector_of(weights_, spec.bias);
  if (!spec.norm.empty()) fold_norm(weights_, spec.norm, conv);
  const bool patches = spec.norm.empty() && conv.in == 3 && spec.kernel == spec.stride;
  if (patches) {
    conv.patches = pack_patches(conv);
    conv.weights.clear();
  }
  return conv;
}

CpuTable CpuLoader::table(const std::string& name) const {
  const TensorView& view = weights_.at(name);
  CpuTable table;
  table.width = static_cast<std::size_t>(view.shape.back());
  table.rows = static_cast<std::size_t>(view.count()) / table.width;
  if (const auto values = in_place(view); !values.empty()) {
    table.data = values.data();
    table.owners = weights_.owners;
    return table;
  }
  table.owned = to_float(view);
  table.data = table.owned.data();
  return table;
}

CpuLinear CpuLoader::pack(std::span<const float> values, int in, int out, Element type,
                          bool transposed) const {
  CpuLinear linear;
  linear.in = in;
  linear.out = out;
  linear.type = type;
  linear.tiles = type == Element::kBf16 && !transposed && in % 32 == 0 && out % 32 == 0 &&
                 best_kernels().tile_product != nullptr;
  if (linear.tiles) {
    linear.weights = AlignedBytes(values.size() * sizeof(Bf16));
    // Panels of 32 columns, by all threads: half of loading is here.
    auto* packed = linear.weights.as<Bf16>();
#pragma omp parallel for schedule(dynamic, 2)
    for (int column = 0; column < out; column += 32) {
      const std::size_t at = static_cast<std::size_t>(column) * in;
      pack_tiles(values.data() + at, in, 32, packed + at);
    }
    return linear;
  }
  linear.weights = pack_weights(cache_.engine(), values, cache_.layout(in, out, type), transposed);
  return linear;
}

// W ((p/255 - mean)/std) = W/(255 std) (p - 128) + W (128/255 - mean)/std: the pixels enter as
// whole numbers that bf16 holds exactly, and normalising costs nothing.
CpuLinear CpuLoader::pack_patches(const CpuConv& conv) const {
  const int k = conv.kernel;
  const std::size_t area = static_cast<std::size_t>(k) * k;
  std::vector<float> values(conv.weights.size());
  std::vector<float> bias(conv.out);
  for (int o = 0; o < conv.out; ++o) {
    double sum = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      const double std = preprocess_.std[c];
      const double shift = (128.0 / 255.0 - preprocess_.mean[c]) / std;
      for (std::size_t i = 0; i < area; ++i) {
        const double w = conv.weights[(o * 3 + c) * area + i];
        values[o * area * 3 + i * 3 + c] = static_cast<float>(w / (255.0 * std));
        sum += w * shift;
      }
    }
    bias[o] = static_cast<float>(conv.bias[o] + sum);
  }
  CpuLinear linear =
      pack(values, static_cast<int>(area * 3), conv.out, conv.type, /*transposed=*/false);
  linear.bias = std::move(bias);
  return linear;
}

}  // namespace tandem
