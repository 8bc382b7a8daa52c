// Gated activations, rotary positions and joined matrices of the CPU backend, beside plain loops in
// double precision.
#include <cmath>
#include <gtest/gtest.h>
#include <vector>

#include "core/rng.h"
#include "core/tensor.h"
#include "engine/cpu/backend.h"
#include "engine/cpu/instruction_set.h"
#include "engine/cpu/row_kernels.h"

namespace tandem {
namespace {

std::vector<float> numbers(std::size_t count, std::uint64_t seed, double scale = 1) {
  Rng rng(seed);
  std::vector<float> x(count);
  for (float& v : x) v = static_cast<float>(scale * rng.normal());
  return x;
}

struct Bench {
  PrimitiveCache cache;
  NormaliseTable normalise = normalise_table(PreprocessConfig{});
  BufferPool pool;
  CpuBackend backend{cache, normalise, best_kernels(), Element::kF32};

  Bench() { backend.prepare(2, 1); }
  CpuTensor tensor(int rows, int columns, const std::vector<float>& values, Element type) {
    CpuTensor t{rows, columns, type, pool.take(values.size() * 4 + 4096)};
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (type == Element::kF32) {
        t.f32()[i] = values[i];
      } else {
        t.bf16()[i] = float_to_bf16(values[i]);
      }
    }
    return t;
  }
  static float at(const CpuTensor& t, std::size_t i) {
    return t.type == Element::kF32 ? t.f32()[i] : bf16_to_float(t.bf16()[i]);
  }
};

double gate(Activation activation, double x) {
  if (activation == Activation::kSilu) return x / (1 + std::exp(-x));
  if (activation == Activation::kGelu) return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

TEST(CpuGates, MultiplyTheValueByTheActivatedGate) {
  Bench b;
  for (const Activation activation :
       {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh}) {
    for (const int width : {1, 8, 21, 64}) {
      for (const Element type : {Element::kF32, Element::kBf16}) {
        const CpuTensor x = b.tensor(3, 2 * width, numbers(6 * width, 5, 4), type);
        const CpuTensor y = b.backend.gated(x, activation);
        ASSERT_EQ(y.columns, width);
        for (int r = 0; r < 3; ++r) {
          for (int c = 0; c < width; ++c) {
            const double g = Bench::at(x, r * 2 * width + c);
            const double v = Bench::at(x, r * 2 * width + width + c);
            const double tolerance = type == Element::kF32 ? 2e-6 : 5e-3;
            ASSERT_NEAR(Bench::at(y, r * width + c), gate(activation, g) * v,
                        tolerance * (1 + std::abs(g * v)));
          }
        }
      }
    }
  }
}

TEST(CpuGates, SiluStaysFiniteFarFromZero) {
  Bench b;
  const CpuTensor x = b.tensor(1, 4, {-1e4F, 1e4F, 2, 3}, Element::kF32);
  const CpuTensor y = b.backend.gated(x, Activation::kSilu);
  EXPECT_NEAR(y.f32()[0], 0, 1e-20);
  EXPECT_EQ(y.f32()[1], 3e4F);
}

// Segments of unlike lengths, a row of each that stays, a head that fills no vector.
TEST(CpuGates, RotaryTurnsQueriesAndKeysByTheirPlaceInTheSegment) {
  Bench b;
  for (const int head : {6, 16, 24}) {
    for (const Element type : {Element::kF32, Element::kBf16}) {
      const int heads = 2;
      const int width = heads * head;
      const std::vector<float> values = numbers(8 * 3 * width, 7);
      const CpuTable angles = [&] {
        CpuTable t;
        t.owned = numbers(4 * 2 * head, 9);
        for (int i = 0; i < 4 * 2 * head; i += 2) t.owned[i + 1] = t.owned[i];
        t.data = t.owned.data();
        t.width = 2 * head;
        t.rows = 4;
        return t;
      }();
      const Segments segments{{0, 5, 8}, 5};
      const CpuTensor before = b.tensor(8, 3 * width, values, type);
      const CpuTensor y =
          b.backend.rotary(b.tensor(8, 3 * width, values, type), angles, segments, heads, 1);
      for (int r = 0; r < 8; ++r) {
        const int place = (r < 5 ? r : r - 5) - 1;
        for (int c = 0; c < 3 * width; c += 2) {
          const std::size_t i = static_cast<std::size_t>(r) * 3 * width + c;
          const double p = Bench::at(before, i);
          const double q = Bench::at(before, i + 1);
          const bool turns = place >= 0 && c < 2 * width;
          const double cos = turns ? angles.row(place)[c % head] : 1;
          const double sin = turns ? angles.row(place)[head + c % head] : 0;
          const double tolerance = type == Element::kF32 ? 1e-6 : 2e-2;
          ASSERT_NEAR(Bench::at(y, i), p * cos - q * sin, tolerance);
          ASSERT_NEAR(Bench::at(y, i + 1), q * cos + p * sin, tolerance);
        }
      }
    }
  }
}

TEST(CpuGates, EveryTableOfThisProcessorAgrees) {
  std::vector<const RowKernels*> tables{&avx2_row_kernels()};
  if (&best_kernels() != &avx2_kernels()) tables.push_back(&avx512_row_kernels());
  if (&best_row_kernels() == &avx512_bf16_row_kernels())
    tables.push_back(&avx512_bf16_row_kernels());
  const auto x = numbers(2 * 37, 3);
  for (const RowKernels* table : tables) {
    std::vector<float> y(37);
    table->gated(x.data(), y.data(), Element::kF32, RowKernels::Gate::kSilu, 37);
    for (int i = 0; i < 37; ++i)
      ASSERT_NEAR(y[i], gate(Activation::kSilu, x[i]) * x[37 + i], 2e-6 * (1 + std::abs(y[i])));
    std::vector<float> turned(x.begin(), x.begin() + 22);
    table->rotate(turned.data(), Element::kF32, x.data() + 22, x.data() + 44, 22);
    for (int i = 0; i < 22; i += 2) {
      ASSERT_NEAR(turned[i], x[i] * x[22 + i] - x[i + 1] * x[44 + i], 1e-5);
      ASSERT_NEAR(turned[i + 1], x[i + 1] * x[23 + i] + x[i] * x[45 + i], 1e-5);
    }
  }
}

// q has a bias, k has none, v is rows of a larger matrix with a bias of its own.
TEST(CpuLoaderTest, JoinsMatricesAndFillsMissingBiasesWithZeros) {
  TensorMap map;
  const auto q = numbers(4 * 8, 1);
  const auto k = numbers(4 * 8, 2);
  const auto fused = numbers(12 * 8, 3);
  map.add_float("q", {4, 8}, q);
  map.add_float("q.bias", {4}, {1, 2, 3, 4});
  map.add_float("k", {4, 8}, k);
  map.add_float("fused", {12, 8}, fused);
  map.add_float("v.bias", {4}, {5, 6, 7, 8});
  Bench b;
  const PreprocessConfig preprocess;
  const CpuLoader loader(map, preprocess, Element::kF32, b.cache);
  const CpuLinear joined =
      loader.linear({.weight = "q", .bias = "q.bias", .more = {{"k"}, {"fused", "v.bias", 8, 12}}});
  ASSERT_EQ(joined.out, 12);
  const auto x = numbers(8, 4);
  const CpuTensor y = b.backend.linear(b.tensor(1, 8, x, Element::kF32), joined, Activation::kNone);
  for (int o = 0; o < 12; ++o) {
    const float* row = o < 4 ? &q[o * 8] : o < 8 ? &k[(o - 4) * 8] : &fused[o * 8];
    double sum = o < 4 ? o + 1 : o < 8 ? 0 : o - 3;
    for (int i = 0; i < 8; ++i) sum += row[i] * x[i];
    EXPECT_NEAR(y.f32()[o], sum, 1e-5) << o;
  }
}

TEST(CpuGates, AddsATensorOfEitherType) {
  Bench b;
  const CpuTensor y = b.backend.add(b.tensor(1, 3, {1, 2, 3}, Element::kF32),
                                    b.tensor(1, 3, {10, 20, 30}, Element::kBf16));
  EXPECT_EQ(std::vector<float>(y.f32(), y.f32() + 3), (std::vector<float>{11, 22, 33}));
}

}  // namespace
}  // namespace tandem
