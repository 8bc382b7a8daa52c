// Every table of kernels this CPU can run, beside plain loops in double precision.
#include "engine/cpu/kernels.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "core/rng.h"
#include "core/tensor.h"
#include "engine/cpu/instruction_set.h"

namespace tandem {
namespace {

std::vector<float> numbers(std::size_t count, std::uint64_t seed, double scale = 1) {
  Rng rng(seed);
  std::vector<float> x(count);
  for (float& v : x) v = static_cast<float>(scale * rng.normal());
  return x;
}

std::vector<Bf16> to_bits(const std::vector<float>& x) {
  std::vector<Bf16> bits;
  for (const float v : x) bits.push_back(float_to_bf16(v));
  return bits;
}

std::vector<float> rounded(const std::vector<float>& x) {
  std::vector<float> y;
  for (const float v : x) y.push_back(bf16_to_float(float_to_bf16(v)));
  return y;
}

// The tables up to the best this CPU (as oneDNN is allowed to see it) runs.
std::vector<const Kernels*> runnable() {
  const std::vector<const Kernels*> all{&avx2_kernels(), &avx512_kernels(), &avx512_bf16_kernels(),
                                        &amx_kernels()};
  const auto best = std::find(all.begin(), all.end(), &best_kernels());
  return {all.begin(), best + 1};
}

class EachTable : public testing::TestWithParam<const Kernels*> {
 protected:
  const Kernels& k() const { return *GetParam(); }
};

TEST_P(EachTable, LayerNormMatchesAnyWidthInBothTypes) {
  for (const int width : {1, 7, 8, 16, 20, 40, 64, 96, 100, 768}) {
    const float eps = width % 3 == 1 ? 1e-5F : 0.5F;
    auto x = numbers(3 * width, 1, 4);
    for (float& v : x) v += 50;  // a large mean, which a one-pass variance would lose
    const auto gain = numbers(width, 2);
    const auto bias = numbers(width, 3);
    std::vector<float> out(3 * width);
    std::vector<Bf16> out_bf16(3 * width);
    k().layer_norm(x.data(), 3, width, gain.data(), bias.data(), eps, out.data(), Element::kF32);
    k().layer_norm(x.data(), 3, width, gain.data(), bias.data(), eps, out_bf16.data(),
                   Element::kBf16);
    for (int r = 0; r < 3; ++r) {
      double mean = 0;
      double variance = 0;
      for (int c = 0; c < width; ++c) mean += x[r * width + c] / static_cast<double>(width);
      for (int c = 0; c < width; ++c) variance += std::pow(x[r * width + c] - mean, 2) / width;
      for (int c = 0; c < width; ++c) {
        const int i = r * width + c;
        const double expected = (x[i] - mean) / std::sqrt(variance + eps) * gain[c] + bias[c];
        ASSERT_NEAR(out[i], expected, 2e-5 + 1e-5 * std::abs(expected)) << width;
        ASSERT_NEAR(bf16_to_float(out_bf16[i]), expected, 1e-4 + 0.004 * std::abs(expected))
            << width;
      }
    }
  }
}

TEST_P(EachTable, GeluIsExactToTheRoundingOfBf16) {
  std::vector<float> x;
  for (double v = -60; v <= 60; v += 0.037) x.push_back(static_cast<float>(v));
  auto gelu = to_bits(x);
  auto quick = gelu;
  auto by_tanh = gelu;
  auto silu = gelu;
  auto relu = gelu;
  k().gelu_bf16(gelu.data(), gelu.size());
  k().quick_gelu_bf16(quick.data(), quick.size());
  k().gelu_tanh_bf16(by_tanh.data(), by_tanh.size());
  k().silu_bf16(silu.data(), silu.size());
  k().relu_bf16(relu.data(), relu.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = bf16_to_float(float_to_bf16(x[i]));
    const double exact = 0.5 * v * (1 + std::erf(v / std::sqrt(2.0)));
    const double exact_quick = v / (1 + std::exp(-1.702 * v));
    ASSERT_NEAR(bf16_to_float(gelu[i]), exact, 3e-4 + 0.004 * std::abs(exact)) << v;
    ASSERT_NEAR(bf16_to_float(quick[i]), exact_quick, 1e-6 + 0.004 * std::abs(exact_quick)) << v;
    const double inner = std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v);
    const double exact_tanh = 0.5 * v * (1 + std::tanh(inner));
    const double exact_silu = v / (1 + std::exp(-v));
    ASSERT_NEAR(bf16_to_float(by_tanh[i]), exact_tanh, 3e-4 + 0.004 * std::abs(exact_tanh)) << v;
    ASSERT_NEAR(bf16_to_float(silu[i]), exact_silu, 1e-6 + 0.004 * std::abs(exact_silu)) << v;
    ASSERT_EQ(bf16_to_float(relu[i]), std::max(v, 0.0));
  }
}

TEST_P(EachTable, RoundsToBf16AsTheReferenceDoes) {
  auto x = numbers(1003, 5, 100);
  x[0] = 1.00390625F;  // a tie: to even, down
  x[1] = 1.01171875F;  // a tie: to even, up
  x[2] = std::numeric_limits<float>::infinity();
  std::vector<Bf16> out(x.size());
  std::vector<float> back(x.size());
  k().to_bf16(x.data(), out.data(), x.size());
  k().to_f32(out.data(), back.data(), x.size());
  EXPECT_EQ(out, to_bits(x));
  EXPECT_EQ(back, rounded(x));
}

TEST_P(EachTable, SumsPoolsAndCentresOddCounts) {
  const auto a = numbers(37, 1);
  auto sum = numbers(37, 2);
  const auto before = sum;
  k().accumulate(a.data(), Element::kF32, sum.data(), 37);
  k().add(a.data(), before.data(), sum.data(), 37);
  for (int i = 0; i < 37; ++i) EXPECT_FLOAT_EQ(sum[i], a[i] + before[i]);
  std::vector<std::uint8_t> pixels(37);
  for (int i = 0; i < 37; ++i) pixels[i] = static_cast<std::uint8_t>(i * 7);
  std::vector<Bf16> centred(37);
  k().center_pixels(pixels.data(), centred.data(), Element::kBf16, 37);
  for (int i = 0; i < 37; ++i)
    EXPECT_EQ(bf16_to_float(centred[i]), static_cast<float>(pixels[i]) - 128.0F);
  // (4 x 5 pixels of 11 channels) -> one row of 2: the odd column is left out.
  const auto map = numbers(4 * 5 * 11, 3);
  std::vector<float> pooled(2 * 11);
  k().avg_pool_row(map.data(), pooled.data(), Element::kF32, 5, 11, 2);
  for (int x = 0; x < 2; ++x) {
    for (int c = 0; c < 11; ++c) {
      const auto at = [&](int row, int column) { return map[(row * 5 + column) * 11 + c]; };
      EXPECT_NEAR(pooled[x * 11 + c],
                  (at(0, 2 * x) + at(0, 2 * x + 1) + at(1, 2 * x) + at(1, 2 * x + 1)) / 4, 1e-6);
    }
  }
}

struct Attention {
  int length;
  int head;
  bool causal;
};

// Row `i` of softmax(q k^T / sqrt(head)) v; qkv: (length, 3 * head).
std::vector<double> attend(const std::vector<float>& qkv, const Attention& a, int i) {
  const int seen = a.causal ? i + 1 : a.length;
  const auto at = [&](int row, int column) {
    return static_cast<double>(qkv[row * 3 * a.head + column]);
  };
  std::vector<double> weights(seen);
  double total = 0;
  for (int j = 0; j < seen; ++j) {
    double score = 0;
    for (int c = 0; c < a.head; ++c) score += at(i, c) * at(j, a.head + c);
    total += weights[j] = std::exp(score / std::sqrt(a.head));
  }
  std::vector<double> out(a.head);
  for (int c = 0; c < a.head; ++c) {
    for (int j = 0; j < seen; ++j) out[c] += weights[j] / total * at(j, 2 * a.head + c);
  }
  return out;
}

TEST_P(EachTable, AttentionMatchesForAllLengthsHeadsAndMasks) {
  for (const int head : {5, 16, 24, 32, 64, 72, 80}) {
    for (const int length : {1, 2, 11, 16, 17, 31, 32, 33, 50, 77, 130, 257}) {
      for (const bool causal : {false, true}) {
        const Attention a{length, head, causal};
        const auto exact =
            numbers(static_cast<std::size_t>(length) * 3 * head, length * 100 + head);
        const auto qkv = rounded(exact);
        const auto bits = to_bits(exact);
        std::vector<float> out(length * head);
        std::vector<Bf16> out_bf16(length * head);
        std::vector<float> scratch(k().attention_scratch(length, head));
        const auto run = [&](const auto& in, auto& to, const auto& kernel) {
          AttentionUnit u;
          u.q = in.data();
          u.k = in.data() + head;
          u.v = in.data() + 2 * head;
          u.out = to.data();
          u.stride = 3 * head;
          u.out_stride = head;
          u.length = length;
          u.head = head;
          u.causal = causal;
          kernel(u, scratch.data());
        };
        run(qkv, out, k().attention_f32);
        run(bits, out_bf16, k().attention_bf16);
        for (int i = 0; i < length; ++i) {
          const auto expected = attend(qkv, a, i);
          for (int c = 0; c < head; ++c) {
            ASSERT_NEAR(out[i * head + c], expected[c], 1e-5)
                << length << " " << head << " " << causal;
            ASSERT_NEAR(bf16_to_float(out_bf16[i * head + c]), expected[c], 0.015)
                << length << " " << head << " " << causal;
          }
        }
        std::vector<float> pooled(head);
        run(qkv, pooled, k().pool_attention_f32);
        const auto first = attend(qkv, {length, head, false}, 0);
        for (int c = 0; c < head; ++c) ASSERT_NEAR(pooled[c], first[c], 1e-5);
      }
    }
  }
}

TEST_P(EachTable, TileProductsMatchForEveryRowCountAndEpilogue) {
  if (k().tile_product == nullptr) GTEST_SKIP() << "no tiles in this table";
  // 2080: deeper than one pass, and not a whole number of passes.
  for (const int depth : {32, 96, 768, 2080}) {
    for (const int m : {1, 31, 32, 33, 70, 600}) {
      if (m == 600 && depth < 768) continue;  // cut into parts of rows and of columns
      constexpr int kColumns = 96;
      const int rows = (m + 31) / 32 * 32;
      const auto a = rounded(numbers(static_cast<std::size_t>(rows) * depth, 1));
      const auto w =
          rounded(numbers(static_cast<std::size_t>(kColumns) * depth, 2, 1 / std::sqrt(depth)));
      const auto bias = numbers(kColumns, 3);
      const auto residual = numbers(static_cast<std::size_t>(m) * kColumns, 4);
      const auto a_bits = to_bits(a);
      std::vector<Bf16> packed(w.size());
      pack_tiles(w.data(), depth, kColumns, packed.data());
      auto added = residual;
      std::vector<Bf16> bits(static_cast<std::size_t>(m) * kColumns + 32);
      Bf16* activated = bits.data() + (64 - reinterpret_cast<std::uintptr_t>(bits.data()) % 64) / 2;
      TileProduct p{.a = a_bits.data(), .weights = packed.data(), .bias = bias.data()};
      p.m = m;
      p.k = depth;
      p.n = kColumns;
      std::vector<std::byte> scratch(k().tile_product_scratch(p) + 64);
      p.scratch = scratch.data() + (64 - reinterpret_cast<std::uintptr_t>(scratch.data()) % 64);
      p.out = added.data();
      p.type = Element::kF32;
      p.add = true;
      for (const int begin : {0, 64}) {  // in two parts, as two threads would
        p.column_begin = begin;
        p.column_end = begin == 0 ? 64 : kColumns;
        k().tile_product(p);
      }
      p.out = activated;
      p.type = Element::kBf16;
      p.add = false;
      p.activation = TileProduct::Activation::kGelu;
      p.column_begin = 0;
      k().tile_product(p);
      std::vector<Bf16> more_bits(bits.size());
      Bf16* by_tanh =
          more_bits.data() + (64 - reinterpret_cast<std::uintptr_t>(more_bits.data()) % 64) / 2;
      p.out = by_tanh;
      p.activation = TileProduct::Activation::kGeluTanh;
      k().tile_product(p);
      for (int i = 0; i < m * kColumns; ++i) {
        double sum = bias[i % kColumns];
        for (int c = 0; c < depth; ++c) {
          sum += static_cast<double>(a[i / kColumns * depth + c]) * w[i % kColumns * depth + c];
        }
        const double gelu = 0.5 * sum * (1 + std::erf(sum / std::sqrt(2.0)));
        ASSERT_NEAR(added[i], residual[i] + sum, 1e-4) << depth << " " << m;
        ASSERT_NEAR(bf16_to_float(activated[i]), gelu, 3e-4 + 0.004 * std::abs(gelu))
            << depth << " " << m;
        const double inner = std::sqrt(2 / std::numbers::pi) * (sum + 0.044715 * sum * sum * sum);
        const double tanh = 0.5 * sum * (1 + std::tanh(inner));
        ASSERT_NEAR(bf16_to_float(by_tanh[i]), tanh, 3e-4 + 0.004 * std::abs(tanh));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, EachTable, testing::ValuesIn(runnable()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace tandem
