// Weights that a checkpoint holds as integers (model/quantised.h), and what an observed pass needs
// to know of the others.
#include <cassert>
#include <cstring>
#include <fmt/format.h>

#include "core/error.h"
#include "engine/cpu/backend.h"
#include "engine/cpu/instruction_set.h"
#include "model/quantised.h"

namespace tandem {
namespace {

std::vector<LinearSpec::Part> parts_of(const LinearSpec& spec) {
  std::vector<LinearSpec::Part> parts{{spec.weight, spec.bias, spec.begin, spec.end}};
  parts.insert(parts.end(), spec.more.begin(), spec.more.end());
  return parts;
}

// Rows of several matrices, one behind the other.
struct Joined {
  std::vector<std::int8_t> rows;
  std::vector<float> scales;
  std::vector<float> bias;
  bool biased = false;

  void append(const TensorMap& weights, const LinearSpec::Part& part, std::int64_t in) {
    const TensorView& view = weights.at(part.weight);
    // A matrix, or a convolution of one pixel (out,in,1,1).
    const bool matrix = view.shape.size() == 2 ||
                        (view.shape.size() == 4 && view.shape[2] == 1 && view.shape[3] == 1);
    if (view.dtype != DType::kI8 || !matrix || view.shape[1] != in) {
      throw Error(Kind::kCorrupt,
                  fmt::format("{}: is multiplied together with integer matrices. Expected I8 rows "
                              "of {}. Quantise the model again.",
                              part.weight, in));
    }
    // What is as long as the rows asked for is used whole, as LinearSpec says.
    const auto own_rows = static_cast<std::size_t>(view.shape[0]);
    const auto count = part.end > 0 ? static_cast<std::size_t>(part.end - part.begin) : own_rows;
    const auto begin = own_rows == count ? std::size_t{0} : static_cast<std::size_t>(part.begin);
    assert(begin + count <= own_rows);
    const auto* from = reinterpret_cast<const std::int8_t*>(view.bytes.data());
    rows.insert(rows.end(), from + begin * in, from + (begin + count) * in);
    const auto all = to_float(weights.at(scale_name(part.weight)));
    scales.insert(scales.end(), all.begin() + begin, all.begin() + begin + count);
    std::vector<float> own(count, 0.0F);
    if (!part.bias.empty()) {
      biased = true;
      own = to_float(weights.at(part.bias));
      if (own.size() != count)
        own = std::vector<float>(own.begin() + part.begin, own.begin() + part.end);
    }
    bias.insert(bias.end(), own.begin(), own.end());
  }
};

}  // namespace

CpuLinear CpuLoader::linear_int8(const LinearSpec& spec) const {
  const std::int64_t in = weights_.at(spec.weight).shape[1];
  Joined joined;
  for (const LinearSpec::Part& part : parts_of(spec)) joined.append(weights_, part, in);
  if (!spec.layer_scale.empty()) {
    const auto gamma = to_float(weights_.at(spec.layer_scale));
    for (std::size_t o = 0; o < gamma.size(); ++o) {
      joined.scales.at(o) *= gamma[o];
      joined.bias[o] *= gamma[o];
    }
  }
  CpuLinear linear;
  linear.in = static_cast<int>(in);
  linear.out = static_cast<int>(joined.scales.size());
  linear.type = Element::kI8;
  linear.scales = std::move(joined.scales);
  if (joined.biased) linear.bias = std::move(joined.bias);
  linear.tiles = linear.out % 32 == 0 && best_kernels().tile_product_int8 != nullptr;
  const auto depth = static_cast<std::size_t>(padded_depth(linear.in));
  if (linear.tiles) {
    linear.weights = AlignedBytes(depth * linear.out);
    pack_tiles_int8(joined.rows.data(), linear.in, linear.out, linear.weights.as<std::int8_t>());
    return linear;
  }
  std::vector<std::int8_t> padded(depth * linear.out);
  for (std::size_t o = 0; o < linear.scales.size(); ++o)
    std::memcpy(padded.data() + o * depth, joined.rows.data() + o * in, in);
  linear.weights = pack_weights_int8(
      cache_.engine(), padded, cache_.layout(static_cast<int>(depth), linear.out, Element::kI8));
  return linear;
}

// The norm's output divided by its smoothing, as the matrices that read it expect.
void CpuLoader::make_smooth(CpuNorm& norm, const std::string& prefix) const {
  const auto smooth = to_float(weights_.at(smooth_name(prefix)));
  for (std::size_t i = 0; i < smooth.size(); ++i) {
    norm.gain.at(i) /= smooth[i];
    if (!norm.bias.empty()) norm.bias[i] /= smooth[i];
  }
  norm.out = Element::kI8;
}

void CpuLoader::announce(CpuLinear& linear, const LinearSpec& spec) const {
  linear.observer = observer_;
  linear.name = spec.weight;
  auto& own = observer_->linears[spec.weight];
  own.matrices.clear();
  for (const LinearSpec::Part& part : parts_of(spec)) own.matrices.push_back(part.weight);
}

}  // namespace tandem
