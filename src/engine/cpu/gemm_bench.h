// The ceiling that an encoder is measured against: the rate of oneDNN's plain matrix product (no
// bias, nothing fused, weights packed as it prefers) at given shapes on this machine.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/encoder.h"

namespace tandem {

struct GemmShape {
  int m = 0;
  int k = 0;
  int n = 0;
  int count = 1;  // how often a forward pass runs it, for weighted_rate
};

struct GemmRate {
  GemmShape shape;
  double gflops = 0;           // 10^9 multiply-adds x 2 a second: median of the runs
  double best_gflops = 0;      // the fastest run
  std::string implementation;  // oneDNN's name
};

struct GemmBenchOptions {
  Precision precision = Precision::kFp32;
  int threads = 0;  // 0: one per available core
  int runs = 30;    // timed runs of each shape, after 3 untimed
};

// The clock of these measurements: wall time, but for one thread the time the processor spent on
// this program, which other programs on the same machine disturb less.
double bench_seconds(int threads);

// Throws kUnsupported for a precision this CPU has no products for.
std::vector<GemmRate> bench_gemm(std::span<const GemmShape> shapes,
                                 const GemmBenchOptions& options);

// The same products in the order of a forward pass, each time of a shape with weights of its own,
// so that they come from where a model's come from; bench_gemm's stay in the caches, which no model
// of many layers can match at small batches. GFLOP/s of the median pass, of options.runs.
double bench_pass(std::span<const GemmShape> shapes, const GemmBenchOptions& options);

// All operations over all time, each shape `count` times at its median rate, in GFLOP/s.
double weighted_rate(std::span<const GemmRate> rates);

// Whether the image tower is made of blocks of linear layers, so that the functions below count it.
bool counts_images(const ModelConfig& config);

// The linear layers of the image tower for `images` pictures and of the text tower for `tokens`
// rows. Throws kUnsupported unless counts_images.
std::vector<GemmShape> image_shapes(const ModelConfig& config, int images);
std::vector<GemmShape> text_shapes(const ModelConfig& config, int tokens);

// Nominal operations of one forward pass, as commonly counted: every layer whole, attention
// included, nothing pooled early.
double image_flops(const ModelConfig& config, int images);
double text_flops(const ModelConfig& config, std::span<const int> lengths);

}  // namespace tandem
