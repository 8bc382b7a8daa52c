// Integer linear layers of the CPU backend, from checkpoint to result, beside exact sums. All
// scales are powers of two and every row of activations reaches 127: nothing may be rounded.
#include <gtest/gtest.h>
#include <vector>

#include "core/error.h"
#include "core/rng.h"
#include "core/tensor.h"
#include "engine/cpu/backend.h"
#include "engine/cpu/instruction_set.h"
#include "engine/encoder.h"

namespace tandem {
namespace {

constexpr int kLargest = 20;  // of a weight

std::vector<int> integers(std::size_t count, std::uint64_t seed, int largest) {
  Rng rng(seed);
  std::vector<int> x(count);
  for (int& v : x) v = static_cast<int>(rng.below(2 * largest + 1)) - largest;
  return x;
}

// (rows, columns), the first of each row 127 or -127: its scale is 1.
std::vector<int> activations(int rows, int columns) {
  std::vector<int> x = integers(static_cast<std::size_t>(rows) * columns, rows + columns, 127);
  for (int r = 0; r < rows; ++r) x[static_cast<std::size_t>(r) * columns] = r % 2 == 0 ? 127 : -127;
  return x;
}

float scale_of(int out) { return out % 3 == 0 ? 0.5F : out % 3 == 1 ? 1.0F : 0.25F; }
float bias_of(int out) { return static_cast<float>(out % 7) - 3.0F; }

void add_matrix(TensorMap& map, const std::string& name, const std::vector<int>& values, int in) {
  const auto owner = std::make_shared<const std::vector<std::int8_t>>(values.begin(), values.end());
  const auto out = static_cast<std::int64_t>(values.size()) / in;
  map.tensors[name] = {DType::kI8, {out, in}, std::as_bytes(std::span(*owner))};
  map.owners.push_back(owner);
  std::vector<float> scales;
  for (int o = 0; o < out; ++o) scales.push_back(scale_of(o));
  map.add_float(name + "_scale", {out}, scales);
}

void add_bias(TensorMap& map, const std::string& name, int out) {
  std::vector<float> bias;
  for (int o = 0; o < out; ++o) bias.push_back(bias_of(o));
  map.add_float(name, {out}, bias);
}

double dot(const std::vector<int>& x, int r, const std::vector<int>& w, int o, int in) {
  int sum = 0;
  for (int i = 0; i < in; ++i) sum += x[r * in + i] * w[o * in + i];
  return sum;
}

class Int8Linear : public testing::Test {
 protected:
  void SetUp() override {
    if (!cpu_has_int8()) GTEST_SKIP() << "no int8 products on this CPU";
    backend_.prepare(2, 32);
  }
  CpuLinear load(const LinearSpec& spec) {
    return CpuLoader(weights_, PreprocessConfig{}, Element::kF32, cache_).linear(spec);
  }
  CpuTensor rows(const std::vector<int>& values, int columns) {
    const CpuLoader loader(weights_, PreprocessConfig{}, Element::kF32, cache_);
    const auto table = loader.constant(std::vector<float>(values.begin(), values.end()), columns);
    return backend_.repeat_rows(table, 1);
  }

  TensorMap weights_;
  PrimitiveCache cache_;
  NormaliseTable normalise_ = normalise_table(PreprocessConfig{});
  CpuBackend backend_{cache_, normalise_, best_kernels(), Element::kF32};
};

TEST_F(Int8Linear, IsExactInEveryShape) {
  for (const int in : {1, 33, 64, 100, 768, 3072}) {
    for (const int out : {1, 32, 75, 96}) {
      weights_ = {};
      const auto w = integers(static_cast<std::size_t>(out) * in, out, kLargest);
      add_matrix(weights_, "w", w, in);
      add_bias(weights_, "b", out);
      const CpuLinear linear = load({.weight = "w", .bias = "b"});
      const CpuLinear plain = load({.weight = "w"});
      for (const int m : {1, 2, 31, 32, 65}) {
        const auto x = activations(m, in);
        const auto residual = integers(static_cast<std::size_t>(m) * out, 9, 100);
        const CpuTensor input = rows(x, in);
        const CpuTensor y = backend_.linear(input, linear, Activation::kNone);
        const CpuTensor z = backend_.linear_add(input, plain, rows(residual, out));
        for (int i = 0; i < m * out; ++i) {
          const int o = i % out;
          const auto want = static_cast<float>(dot(x, i / out, w, o, in) * scale_of(o));
          ASSERT_EQ(y.f32()[i], want + bias_of(o)) << m << "x" << in << "x" << out;
          ASSERT_EQ(z.f32()[i], want + static_cast<float>(residual[i]))
              << m << "x" << in << "x" << out;
        }
      }
    }
  }
}

// As attentional poolers do: rows [begin,end) of a joined matrix, or a matrix of just those rows
// beside a joined bias.
TEST_F(Int8Linear, TakesASliceOrAMatrixThatIsTheSlice) {
  constexpr int kIn = 64;
  constexpr int kOut = 32;
  const auto joined = integers(3 * kOut * kIn, 1, kLargest);
  const auto apart = integers(kOut * kIn, 2, kLargest);
  add_matrix(weights_, "joined", joined, kIn);
  add_matrix(weights_, "apart", apart, kIn);
  add_bias(weights_, "b", 3 * kOut);
  const auto x = activations(5, kIn);
  for (const bool whole : {false, true}) {
    const CpuLinear linear = load(
        {.weight = whole ? "apart" : "joined", .bias = "b", .begin = 2 * kOut, .end = 3 * kOut});
    ASSERT_EQ(linear.out, kOut);
    const CpuTensor y = backend_.linear(rows(x, kIn), linear, Activation::kNone);
    for (int i = 0; i < 5 * kOut; ++i) {
      const int row = 2 * kOut + i % kOut;  // of what is joined
      const int own = whole ? i % kOut : row;
      const double sum = dot(x, i / kOut, whole ? apart : joined, own, kIn);
      ASSERT_EQ(y.f32()[i], static_cast<float>(sum * scale_of(own)) + bias_of(row)) << whole;
    }
  }
}

TEST_F(Int8Linear, JoinsMatricesAndAppliesLayerScale) {
  constexpr int kIn = 48;
  const auto first = integers(32 * kIn, 1, kLargest);
  const auto second = integers(16 * kIn, 2, kLargest);
  add_matrix(weights_, "first", first, kIn);
  add_matrix(weights_, "second", second, kIn);
  add_bias(weights_, "b", 16);
  weights_.add_float("gamma", {48}, std::vector<float>(48, 4.0F));
  const CpuLinear linear =
      load({.weight = "first", .layer_scale = "gamma", .more = {{"second", "b"}}});
  const auto x = activations(3, kIn);
  const CpuTensor y = backend_.linear(rows(x, kIn), linear, Activation::kNone);
  ASSERT_EQ(y.columns, 48);
  for (int i = 0; i < 3 * 48; ++i) {
    const int o = i % 48;
    const bool front = o < 32;
    const int own = front ? o : o - 32;
    const double sum = dot(x, i / 48, front ? first : second, own, kIn) * scale_of(own);
    ASSERT_EQ(y.f32()[i], 4 * static_cast<float>(sum + (front ? 0 : bias_of(own))));
  }
}

TEST_F(Int8Linear, RefusesToJoinIntegersWithFloats) {
  add_matrix(weights_, "integers", integers(32 * 64, 1, kLargest), 64);
  weights_.add_float("floats", {32, 64}, std::vector<float>(32 * 64, 1.0F));
  EXPECT_THROW(load({.weight = "integers", .more = {{"floats"}}}), Error);
}

}  // namespace
}  // namespace tandem
