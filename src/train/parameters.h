// A model's trainable weights as the optimiser and autograd see them: float32 master values in one
// buffer, and for each weight a leaf tensor in the type that the forward pass multiplies in.
//
// Replicas compute parts of a batch at the same time. They share the values; each has its own
// gradients, summed in order by step(), and its own batch norm statistics, of which the first's
// count.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "engine/torch/backend.h"
#include "model/weights.h"
#include "train/adamw.h"

namespace tandem {

class TrainParameters {
 public:
  // Copies `initial`, which must fit the table.
  TrainParameters(const std::vector<WeightSpec>& table, const TensorMap& initial, bool keep_average,
                  int replicas);

  // What replica `i` loads from: leaves of trainable weights (their dtype is that of the first call
  // for the name), live buffers of running statistics. Valid while this lives.
  TorchWeights& replica(int i) { return replicas_[i]; }

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
    at::Tensor shared;  // in the forward pass's type; undefined until asked for
    std::vector<at::Tensor>
        leaves;  // one a replica, on the same storage; undefined until asked for
  };
  class Replica : public TorchWeights {
   public:
    Replica(TrainParameters& all, int number) : all_(all), number_(number) {}
    at::Tensor get(const std::string& name, at::ScalarType dtype) override {
      return all_.leaf(name, dtype, number_);
    }

   private:
    TrainParameters& all_;
    int number_;
  };
  at::Tensor leaf(const std::string& name, at::ScalarType dtype, int replica);
  TensorMap view(const std::vector<float>& buffer, const std::string& prefix,
                 bool only_trainable) const;
  void load(const TensorMap& map, const std::string& prefix, bool only_trainable,
            std::vector<float>& buffer);
  void refresh_leaves();
  void average_statistics(double decay);
  AdamWSlice slice_of(const Slot& slot);

  std::deque<Replica> replicas_;
  std::vector<Slot> slots_;
  std::map<std::string, std::size_t> by_name_;
  std::vector<float> value_;
  std::vector<float> mean_;
  std::vector<float> variance_;
  std::vector<float> average_;
};

}  // namespace tandem
