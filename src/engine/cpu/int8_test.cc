// Integer products and the quantised models that run on them, beside plain loops.
#include <cmath>
#include <filesystem>
#include <gtest/gtest.h>

#include "core/rng.h"
#include "core/tensor.h"
#include "engine/cpu/instruction_set.h"
#include "engine/cpu/primitives.h"
#include "engine/cpu/tile_product_int8.h"
#include "engine/encoder.h"
#include "engine/generated_model.h"
#include "engine/quantize.h"
#include "model/quantised.h"

namespace tandem {
namespace {

std::vector<std::int8_t> integers(std::size_t count, std::uint64_t seed, int largest) {
  Rng rng(seed);
  std::vector<std::int8_t> x(count);
  for (auto& v : x)
    v = static_cast<std::int8_t>(static_cast<int>(rng.below(2 * largest + 1)) - largest);
  return x;
}

std::vector<float> scales(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> x(count);
  for (float& v : x) v = static_cast<float>(rng.uniform(0.5, 2.0));
  return x;
}

// Row r of a times row o of w.
std::int32_t dot(const std::vector<std::int8_t>& a, int a_stride, int r,
                 const std::vector<std::int8_t>& w, int in, int o) {
  std::int32_t sum = 0;
  for (int i = 0; i < in; ++i) sum += a[r * a_stride + i] * w[o * in + i];
  return sum;
}

TEST(TileProductInt8, SumsExactly) {
  if (best_kernels().tile_product_int8 == nullptr) GTEST_SKIP() << "no tiles on this CPU";
  constexpr int kOut = 96;
  for (const int in : {64, 96, 768, 3072}) {
    for (const int m : {1, 31, 33, 70}) {
      const int depth = padded_depth(in);
      // 60: sums of 3072 products stay below 2^24, which float32 holds exactly.
      auto a = integers(static_cast<std::size_t>((m + 31) / 32 * 32) * depth, in + m, 60);
      for (int r = 0; r < m; ++r) std::fill_n(a.begin() + r * depth + in, depth - in, 0);
      const auto w = integers(static_cast<std::size_t>(kOut) * in, 2, 60);
      std::vector<std::int8_t> packed(static_cast<std::size_t>(kOut) * depth);
      pack_tiles_int8(w.data(), in, kOut, packed.data());
      const std::vector<float> ones(128, 1.0F);
      std::vector<float> out(static_cast<std::size_t>(m) * kOut, 5.0F);
      TileProductInt8 p;
      p.a = a.data();
      p.row_scales = ones.data();
      p.weights = packed.data();
      p.column_scales = ones.data();
      p.out = out.data();
      p.type = Element::kF32;
      p.add = true;
      p.m = m;
      p.k = depth;
      p.n = kOut;
      for (const int begin : {0, 32}) {  // in two parts, as two threads would
        p.column_begin = begin;
        p.column_end = begin == 0 ? 32 : kOut;
        best_kernels().tile_product_int8(p);
      }
      for (int i = 0; i < m * kOut; ++i) {
        ASSERT_EQ(out[i], 5.0F + static_cast<float>(dot(a, depth, i / kOut, w, in, i % kOut)))
            << in << " " << m;
      }
    }
  }
}

TEST(TileProductInt8, AppliesScalesBiasAndActivation) {
  if (best_kernels().tile_product_int8 == nullptr) GTEST_SKIP() << "no tiles on this CPU";
  constexpr int kIn = 128;
  constexpr int kOut = 64;
  constexpr int kRows = 37;
  const auto a = integers(64 * kIn, 1, 127);
  const auto w = integers(static_cast<std::size_t>(kOut) * kIn, 2, 127);
  auto rows = scales(64, 3);
  for (float& s : rows) s *= 1e-5F;
  const auto columns = scales(kOut, 4);
  const auto bias = scales(kOut, 5);
  std::vector<std::int8_t> packed(w.size());
  pack_tiles_int8(w.data(), kIn, kOut, packed.data());
  using A = TileProduct::Activation;
  for (const A activation : {A::kNone, A::kGelu, A::kQuickGelu, A::kGeluTanh}) {
    std::vector<Bf16> out(kRows * kOut);
    TileProductInt8 p;
    p.a = a.data();
    p.row_scales = rows.data();
    p.weights = packed.data();
    p.column_scales = columns.data();
    p.bias = bias.data();
    p.out = out.data();
    p.activation = activation;
    p.m = kRows;
    p.k = kIn;
    p.n = p.column_end = kOut;
    best_kernels().tile_product_int8(p);
    for (int i = 0; i < kRows * kOut; ++i) {
      const int r = i / kOut;
      const int o = i % kOut;
      const double x =
          static_cast<double>(dot(a, kIn, r, w, kIn, o)) * rows[r] * columns[o] + bias[o];
      const double cubic = std::sqrt(2 / 3.14159265358979) * (x + 0.044715 * x * x * x);
      const double want = activation == A::kNone   ? x
                          : activation == A::kGelu ? 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)))
                          : activation == A::kQuickGelu ? x / (1 + std::exp(-1.702 * x))
                                                        : 0.5 * x * (1 + std::tanh(cubic));
      // bf16 keeps 8 bits.
      ASSERT_NEAR(bf16_to_float(out[i]), want, 3e-4 + 0.004 * std::abs(want));
    }
  }
}

// What processors with VNNI but without tiles run on.
TEST(PrimitiveCacheInt8, MultipliesExactlyOnAFastKernel) {
  if (!cpu_has_int8()) GTEST_SKIP() << "no int8 products on this CPU";
  constexpr int kIn = 192;
  constexpr int kOut = 80;
  constexpr int kRows = 45;
  PrimitiveCache cache;
  MatmulShape shape{.m = kRows, .k = kIn, .n = kOut, .type = Element::kI8, .dst = Element::kF32};
  shape.bias = true;
  shape.add = true;
  const Primitive& p = cache.matmul(shape);
  EXPECT_NE(p.implementation.rfind("ref", 0), 0U) << p.implementation;
  EXPECT_NE(p.implementation.find("brg"), std::string::npos) << p.implementation;
  auto a = integers(kRows * kIn, 1, 127);
  const auto w = integers(kOut * kIn, 2, 127);
  const AlignedBytes packed =
      pack_weights_int8(cache.engine(), w, cache.layout(kIn, kOut, shape.type));
  auto rows = scales(kRows, 3);
  auto columns = scales(kOut, 4);
  auto bias = scales(kOut, 5);
  std::vector<float> out(kRows * kOut, 7.0F);
  const auto& engine = cache.engine();
  std::vector<std::byte> scratch(p.scratch_bytes + 64);
  const dnnl::memory::desc bytes({static_cast<dnnl::memory::dim>(scratch.size())},
                                 dnnl::memory::data_type::u8, dnnl::memory::format_tag::a);
  std::unordered_map<int, dnnl::memory> args{
      {DNNL_ARG_SRC, dnnl::memory(p.src, engine, a.data())},
      {DNNL_ARG_WEIGHTS, dnnl::memory(p.weights, engine, packed.data())},
      {DNNL_ARG_DST, dnnl::memory(p.dst, engine, out.data())},
      {DNNL_ARG_SCRATCHPAD, dnnl::memory(bytes, engine, scratch.data())}};
  float* operands[] = {rows.data(), columns.data(), bias.data()};
  ASSERT_EQ(p.post_operands.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i)
    args[p.post_operands[i].first] = dnnl::memory(p.post_operands[i].second, engine, operands[i]);
  dnnl::stream stream(engine);
  p.primitive.execute(stream, args);
  stream.wait();
  for (int i = 0; i < kRows * kOut; ++i) {
    const int r = i / kOut;
    const int o = i % kOut;
    const float exact = static_cast<float>(dot(a, kIn, r, w, kIn, o));
    const float want = exact * rows[r] * columns[o] + bias[o] + 7.0F;
    ASSERT_NEAR(out[i], want, 1e-6 * std::abs(want) + 0.5);  // three roundings of up to 1e7
  }
}

TEST(QuantiseRow, RoundsToTheNearestOf255StepsInAnyWidth) {
  if (best_kernels().quantise_row == nullptr) GTEST_SKIP() << "no int8 rows on this CPU";
  Rng rng(1);
  for (const int width : {1, 7, 16, 20, 64, 100, 768}) {
    const int padded = padded_depth(width);
    std::vector<float> x(width);
    std::vector<Bf16> halves(width);
    for (int i = 0; i < width; ++i) {
      halves[i] = float_to_bf16(static_cast<float>(rng.normal()));
      x[i] = bf16_to_float(halves[i]);
    }
    for (const Element type : {Element::kF32, Element::kBf16}) {
      const void* from = type == Element::kF32 ? static_cast<const void*>(x.data())
                                               : static_cast<const void*>(halves.data());
      std::vector<std::int8_t> q(padded + 1, 99);
      const float scale = best_kernels().quantise_row(from, type, width, padded, q.data());
      int largest = 0;
      for (int i = 0; i < width; ++i) {
        ASSERT_NEAR(q[i] * scale, x[i], scale * 0.5001) << width;
        largest = std::max(largest, std::abs(static_cast<int>(q[i])));
      }
      EXPECT_EQ(largest, 127);
      for (int i = width; i < padded; ++i) EXPECT_EQ(q[i], 0);
      EXPECT_EQ(q[padded], 99);
    }
  }
}

TEST(QuantiseRow, LeavesARowOfZerosZero) {
  if (best_kernels().quantise_row == nullptr) GTEST_SKIP() << "no int8 rows on this CPU";
  for (const float value : {0.0F, 1e-38F}) {
    const std::vector<float> x(40, value);
    std::vector<std::int8_t> q(64, 99);
    best_kernels().quantise_row(x.data(), Element::kF32, 40, 64, q.data());
    EXPECT_EQ(q, std::vector<std::int8_t>(64, 0));
  }
}

TEST(QuantiseRow, ANanAnywhereMakesTheScaleNan) {
  if (best_kernels().quantise_row == nullptr) GTEST_SKIP() << "no int8 rows on this CPU";
  for (const int width : {1, 20, 64, 100, 200}) {
    for (int at = 0; at < width; ++at) {
      std::vector<float> x(width, 1.0F);
      std::vector<Bf16> halves(width, float_to_bf16(1.0F));
      x[at] = at % 2 == 0 ? std::nanf("") : -std::nanf("");
      halves[at] = float_to_bf16(x[at]);
      const int padded = padded_depth(width);
      std::vector<std::int8_t> q(padded);
      const auto scale = [&](const void* from, Element type) {
        return best_kernels().quantise_row(from, type, width, padded, q.data());
      };
      EXPECT_TRUE(std::isnan(scale(x.data(), Element::kF32))) << width << " " << at;
      EXPECT_TRUE(std::isnan(scale(halves.data(), Element::kBf16))) << width << " " << at;
    }
  }
}

ModelConfig small_config() {
  ModelConfig config;
  config.embed_dim = 48;
  config.vision = {
      .image_size_px = 64, .layers = 2, .width = 128, .head_width = 32, .patch_px = 16};
  config.preprocess.size_px = 64;
  config.text = {.context_length = 24, .vocab_size = 600, .width = 64, .heads = 2, .layers = 2};
  return config;
}

TEST(Quantise, LeavesRowsThatArePooledAndProjectionsInBf16) {
  const auto model = generated_model(small_config(), 3);
  const TensorMap weights = quantise(model, {}).weights;
  const auto dtype = [&](const std::string& name) { return weights.at(name).dtype; };
  const std::string first = "visual.transformer.resblocks.0.";
  const std::string last = "visual.transformer.resblocks.1.";
  EXPECT_EQ(dtype(first + "attn.in_proj_weight"), DType::kI8);
  EXPECT_EQ(dtype(first + "mlp.c_proj.weight"), DType::kI8);
  EXPECT_TRUE(weights.contains(first + "ln_1.smooth"));
  EXPECT_TRUE(weights.contains(first + "ln_2.smooth"));
  EXPECT_EQ(dtype(last + "mlp.c_fc.weight"), DType::kBF16);
  EXPECT_FALSE(weights.contains(last + "ln_2.smooth"));
  EXPECT_EQ(dtype("visual.proj"), DType::kBF16);
  EXPECT_EQ(dtype("token_embedding.weight"), DType::kBF16);
  EXPECT_EQ(dtype(first + "ln_1.weight"), DType::kF32);
}

TEST(Quantise, GivesTheSameVectorsOnLoadAsFromItsFile) {
  const auto model = generated_model(small_config(), 3);
  const auto folder = std::filesystem::temp_directory_path() / "tandem_int8_test";
  std::filesystem::remove_all(folder);
  save_quantised(folder, model.config, quantise(model, {}).weights);
  const Checkpoint file = load_checkpoint(folder);
  const PixelBatch pictures = generated_pictures(2, 9, 64);
  const auto exact = make_cpu_encoder(model, {})->encode_images(pictures);
  // Read as floats wherever there are no integer products.
  const auto floats = make_cpu_encoder(file, {})->encode_images(pictures);
  EXPECT_GT(compare_rows(exact, floats).min_cosine, 0.995);
  EXPECT_LT(compare_rows(exact, floats).min_cosine, 0.999999);
  if (cpu_has_int8()) {
    const auto loaded = make_cpu_encoder(model, {.precision = Precision::kInt8});
    const auto stored = make_cpu_encoder(file, {.precision = Precision::kInt8});
    const auto a = loaded->encode_images(pictures);
    EXPECT_EQ(a.values, stored->encode_images(pictures).values);
    EXPECT_GT(compare_rows(exact, a).min_cosine, 0.99);
    EXPECT_NE(stored->describe().find("int8"), std::string::npos);
  }
  std::filesystem::remove_all(folder);
}

TEST(Quantise, MeasuresTheErrorOfEachMatrix) {
  const auto layers = quantise(generated_model(small_config(), 3), {.layer_errors = true}).layers;
  ASSERT_EQ(layers.size(), 10U);  // four of a first block, in_proj of a last one, two towers
  for (const LayerError& layer : layers) {
    EXPECT_GT(layer.relative, 0.001) << layer.matrix;
    EXPECT_LT(layer.relative, 0.03) << layer.matrix;  // 8 bits; without smoothing up to 0.05
  }
}

TEST(Agreement, IsMeasuredRowByRow) {
  Matrix a(2, 2);
  a.values = {1, 0, 0, 1};
  Matrix b(2, 2);
  b.values = {1, 0, 0.6F, 0.8F};
  const RowAgreement found = compare_rows(a, b);
  EXPECT_NEAR(found.min_cosine, 0.8, 1e-6);
  EXPECT_NEAR(found.mean_cosine, 0.9, 1e-6);
  EXPECT_NEAR(found.max_difference, 0.6, 1e-6);
  EXPECT_EQ(top_one_agreement(a, a, b, a), 1.0);
  b.values = {1, 0, 0.8F, 0.6F};
  EXPECT_EQ(top_one_agreement(a, a, b, a), 0.5);
}

}  // namespace
}  // namespace tandem
