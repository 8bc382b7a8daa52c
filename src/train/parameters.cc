#include "train/parameters.h"

#include <ATen/core/grad_mode.h>
#include <algorithm>
#include <cassert>
#include <cmath>
#include <fmt/format.h>
#include <span>

#include "core/error.h"

namespace tandem {
namespace {

constexpr std::size_t kAlign = 16;  // values: a cache line

TensorView view_of(const float* values, const WeightSpec& spec, std::size_t count) {
  return {DType::kF32, spec.shape, std::as_bytes(std::span(values, count))};
}

std::uint16_t* bf16_data(const at::Tensor& t) {
  return reinterpret_cast<std::uint16_t*>(t.data_ptr());
}

}  // namespace

TrainParameters::TrainParameters(const std::vector<WeightSpec>& table, const TensorMap& initial,
                                 bool keep_average, int replicas) {
  for (int i = 0; i < replicas; ++i) replicas_.emplace_back(*this, i);
  std::size_t offset = 0;
  for (const WeightSpec& spec : table) {
    Slot slot{spec, offset, 1, {}, std::vector<at::Tensor>(replicas)};
    for (const std::int64_t n : spec.shape) slot.count *= n;
    offset += (slot.count + kAlign - 1) / kAlign * kAlign;
    by_name_[spec.name] = slots_.size();
    slots_.push_back(std::move(slot));
  }
  value_.resize(offset);
  mean_.resize(offset);
  variance_.resize(offset);
  load(initial, "", /*only_trainable=*/false, value_);
  if (keep_average) average_ = value_;
}

at::Tensor TrainParameters::leaf(const std::string& name, at::ScalarType dtype, int replica) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) throw Error(Kind::kInternal, "no weight " + name);
  Slot& slot = slots_[found->second];
  at::Tensor& leaf = slot.leaves[replica];
  if (leaf.defined()) return leaf;
  at::Tensor master = at::from_blob(value_.data() + slot.offset, slot.spec.shape, at::kFloat);
  if (!slot.spec.trainable) return leaf = replica == 0 ? master : master.clone();
  if (!slot.shared.defined()) slot.shared = dtype == at::kFloat ? master : master.to(dtype);
  leaf = slot.shared.detach();
  leaf.requires_grad_();
  return leaf;
}

void TrainParameters::zero_grad() {
  for (Slot& slot : slots_) {
    for (at::Tensor& leaf : slot.leaves) {
      if (leaf.defined() && slot.spec.trainable) leaf.mutable_grad().reset();
    }
  }
}

double TrainParameters::step(AdamWStep options, double grad_clip, std::size_t threads) {
  std::vector<AdamWSlice> slices;
  for (const Slot& slot : slots_) {
    if (!slot.spec.trainable) continue;
    AdamWSlice slice = slice_of(slot);
    if (!slice.grads.empty() || !slice.grads_bf16.empty()) slices.push_back(std::move(slice));
  }
  const double norm = std::sqrt(grad_square_sum(slices, threads));
  // 1e-6: torch.nn.utils.clip_grad_norm_'s.
  if (grad_clip > 0) options.grad_scale = std::min(1.0, grad_clip / (norm + 1e-6));
  adamw_step(slices, options, threads);
  if (keeps_average()) average_statistics(options.average_decay);
  return norm;
}

void TrainParameters::clamp(const std::string& name, float low, float high) {
  const Slot& slot = slots_[by_name_.at(name)];
  for (std::size_t i = 0; i < slot.count; ++i) {
    value_[slot.offset + i] = std::clamp(value_[slot.offset + i], low, high);
  }
}

TensorMap TrainParameters::values() const { return view(value_, "", false); }

TensorMap TrainParameters::averages() const { return view(average_, "", false); }

TensorMap TrainParameters::moments() const {
  TensorMap map = view(mean_, "mean.", true);
  map.tensors.merge(view(variance_, "variance.", true).tensors);
  if (keeps_average()) map.tensors.merge(view(average_, "average.", false).tensors);
  return map;
}

void TrainParameters::restore(const TensorMap& values, const TensorMap& state) {
  load(values, "", false, value_);
  load(state, "mean.", true, mean_);
  load(state, "variance.", true, variance_);
  if (keeps_average()) load(state, "average.", false, average_);
  refresh_leaves();
}

TensorMap TrainParameters::view(const std::vector<float>& buffer, const std::string& prefix,
                                bool only_trainable) const {
  TensorMap map;
  for (const Slot& slot : slots_) {
    if (only_trainable && !slot.spec.trainable) continue;
    map.tensors[prefix + slot.spec.name] =
        view_of(buffer.data() + slot.offset, slot.spec, slot.count);
  }
  return map;
}

void TrainParameters::load(const TensorMap& map, const std::string& prefix, bool only_trainable,
                           std::vector<float>& buffer) {
  for (const Slot& slot : slots_) {
    if (only_trainable && !slot.spec.trainable) continue;
    const std::vector<float> values = to_float(map.at(prefix + slot.spec.name));
    if (values.size() != slot.count) {
      throw Error(Kind::kCorrupt, fmt::format("{}{}: has {} values. Expected {}.", prefix,
                                              slot.spec.name, values.size(), slot.count));
    }
    std::copy(values.begin(), values.end(), buffer.begin() + slot.offset);
  }
}

void TrainParameters::refresh_leaves() {
  at::NoGradGuard guard;
  for (Slot& slot : slots_) {
    if (!slot.shared.defined() || slot.shared.scalar_type() == at::kFloat) continue;
    slot.shared.copy_(at::from_blob(value_.data() + slot.offset, slot.spec.shape, at::kFloat));
  }
}

void TrainParameters::average_statistics(double decay) {
  const auto moves = static_cast<float>(1 - decay);
  for (const Slot& slot : slots_) {
    if (slot.spec.trainable) continue;
    for (std::size_t i = slot.offset; i < slot.offset + slot.count; ++i) {
      average_[i] += (value_[i] - average_[i]) * moves;
    }
  }
}

AdamWSlice TrainParameters::slice_of(const Slot& slot) {
  AdamWSlice s;
  s.count = slot.count;
  s.value = value_.data() + slot.offset;
  s.mean = mean_.data() + slot.offset;
  s.variance = variance_.data() + slot.offset;
  if (keeps_average()) s.average = average_.data() + slot.offset;
  s.decays = slot.spec.decays;
  for (const at::Tensor& leaf : slot.leaves) {
    if (!leaf.defined() || !leaf.grad().defined()) continue;
    assert(leaf.grad().is_contiguous());  // autograd gives gradients their leaf's layout
    if (leaf.scalar_type() == at::kFloat) {
      s.grads.push_back(leaf.grad().const_data_ptr<float>());
    } else {
      s.grads_bf16.push_back(bf16_data(leaf.grad()));
      s.value_bf16 = bf16_data(slot.shared);
    }
  }
  return s;
}

}  // namespace tandem
