// A model's trainable weights as the optimiser and autograd see them: float32 master values in one
// buffer, and for each weight a leaf tensor in the type that the forward pass multiplies in.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "engine/torch/backend.h"
#include "model/weights.h"
#include "train/adamw.h"

namespace tandem {

class TrainParameters : public TorchWeights {
 public:
  // Copies `initial`, which must fit the table.
  TrainParameters(const std::vector<WeightSpec>& table, const TensorMap& initial,
                  bool keep_average);

  // The leaf of a trainable weight (the same at every call; its dtype is that of the first), or the
  // live buffer of a running statistic.
  at::Tensor get(const std::string& name, at::ScalarType dtype) override;

  void zero_grad();
  // Largest norm -> factor: scales gradients, steps, updates averages and leaves. Returns the norm.
  double step(AdamWStep options, double grad_clip, std::size_t threads);
  // The learned logit scale's upper bound.
  void clamp(const std::string& name, float low, float high);

  // Views of the live values (all tensors, in table order), of their averages, and of the
  // optimiser's moments (trainable ones only). Valid while this lives.
  TensorMap values() const;
  TensorMap averages() const;
  TensorMap moments() const;
  // Overwrites values and state with those of a checkpoint: values() and moments() as saved.
  void restore(const TensorMap& values, const TensorMap& state);
  bool keeps_average() const { return !average_.empty(); }

 private:
  struct Slot {
    WeightSpec spec;
    std::size_t offset = 0;
    std::size_t count = 0;
    at::Tensor leaf;  // undefined until asked for
  };
  TensorMap view(const std::vector<float>& buffer, const std::string& prefix,
                 bool only_trainable) const;
  void load(const TensorMap& map, const std::string& prefix, bool only_trainable,
            std::vector<float>& buffer);
  void refresh_leaves();
  void average_statistics(double decay);
  AdamWSlice slice_of(const Slot& slot);

  std::vector<Slot> slots_;
  std::map<std::string, std::size_t> by_name_;
  std::vector<float> value_;
  std::vector<float> mean_;
  std::vector<float> variance_;
  std::vector<float> average_;
};

}  // namespace tandem
