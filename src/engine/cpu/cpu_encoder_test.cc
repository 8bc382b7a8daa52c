#include <cmath>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "core/error.h"
#include "engine/cpu/backend.h"
#include "engine/cpu/instruction_set.h"
#include "engine/encoder.h"
#include "engine/generated_model.h"
#include "model/clip.h"

namespace tandem {
namespace {

ModelConfig small_config() {
  ModelConfig config;
  config.embed_dim = 48;
  config.vision = {
      .image_size_px = 64, .layers = 2, .width = 128, .head_width = 32, .patch_px = 16};
  config.text = {.context_length = 24, .vocab_size = 600, .width = 64, .heads = 2, .layers = 2};
  return config;
}

void expect_near(const Matrix& a, const Matrix& b, double tolerance) {
  ASSERT_EQ(a.rows, b.rows);
  ASSERT_EQ(a.cols, b.cols);
  for (std::size_t i = 0; i < a.values.size(); ++i)
    ASSERT_NEAR(a.values[i], b.values[i], tolerance) << i;
}

Kind kind_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& e) {
    return e.kind();
  }
  return Kind::kInternal;
}

TEST(CpuEncoder, GivesTheSameWhateverTheThreadsAndTheBatch) {
  const Checkpoint model = generated_model(small_config(), 3);
  const PixelBatch pictures = generated_pictures(1, 70, 64);
  const TokenBatch texts = generated_texts(1, 120, model.config.text);
  const auto one = make_cpu_encoder(model, {.threads = 1});
  const Matrix images = one->encode_images(pictures);
  const Matrix vectors = one->encode_texts(texts);
  for (const int threads : {2, 3}) {
    const auto encoder = make_cpu_encoder(model, {.threads = threads});
    expect_near(encoder->encode_images(pictures), images, 2e-6);
    expect_near(encoder->encode_texts(texts), vectors, 2e-6);
    // One at a time: threads then share each operation, and every text must come back in its own
    // place.
    for (int i = 0; i < 120; i += 17) {
      TokenBatch single;
      single.add(
          std::span(texts.ids).subspan(texts.offsets[i], texts.offsets[i + 1] - texts.offsets[i]));
      const Matrix alone = encoder->encode_texts(single);
      for (std::size_t c = 0; c < alone.cols; ++c)
        ASSERT_NEAR(alone.row(0)[c], vectors.row(i)[c], 2e-6) << i;
    }
  }
}

// Labels in templates: most rows are common beginnings, which are computed once.
TEST(CpuEncoder, SharesCommonBeginningsWithoutChangingAVector) {
  const Checkpoint model = generated_model(small_config(), 3);
  TokenBatch texts;
  for (int label = 0; label < 30; ++label) {
    for (int kind = 0; kind < 5; ++kind) {
      std::vector<std::int32_t> ids{598, 10 + kind, 3, 4, 5, 100 + label % 7, 200 + label, 599};
      if (kind == 4) ids.resize(4 + label % 3), ids.back() = 599;
      texts.add(ids);
    }
  }
  const Segments shared = share_prefixes(texts);
  EXPECT_EQ(shared.path.size(), texts.ids.size());
  const auto encoder = make_cpu_encoder(model, {.threads = 2});
  const Matrix together = encoder->encode_texts(texts);
  for (int i = 0; i < texts.count(); ++i) {
    TokenBatch single;
    single.add(
        std::span(texts.ids).subspan(texts.offsets[i], texts.offsets[i + 1] - texts.offsets[i]));
    const Matrix alone = encoder->encode_texts(single);
    for (std::size_t c = 0; c < alone.cols; ++c)
      ASSERT_NEAR(alone.row(0)[c], together.row(i)[c], 2e-6) << i;
  }
}

TEST(CpuEncoder, MergesTokensOnlyWhenAskedAndStaysClose) {
  ModelConfig config = small_config();
  const Checkpoint model = generated_model(config, 3);
  const PixelBatch pictures = generated_pictures(1, 9, 64);
  const Matrix whole = make_cpu_encoder(model, {.threads = 2})->encode_images(pictures);
  const auto merging = make_cpu_encoder(model, {.threads = 2, .merge_tokens = 2});
  const Matrix merged = merging->encode_images(pictures);
  for (std::size_t i = 0; i < whole.rows; ++i) {
    double cosine = 0;
    for (std::size_t c = 0; c < whole.cols; ++c) cosine += whole.row(i)[c] * merged.row(i)[c];
    EXPECT_GT(cosine, 0.9) << i;
    EXPECT_LT(cosine, 0.999999) << i;  // it did merge
  }
  config.vision.pool = VisionConfig::Pool::kAverage;
  EXPECT_EQ(
      kind_of([&] { (void)make_cpu_encoder(generated_model(config, 3), {.merge_tokens = 2}); }),
      Kind::kUnsupported);
}

TEST(CpuEncoder, IsSharedByThreads) {
  const Checkpoint model = generated_model(small_config(), 3);
  const PixelBatch pictures = generated_pictures(1, 9, 64);
  const TokenBatch texts = generated_texts(1, 40, model.config.text);
  const auto encoder = make_cpu_encoder(model, {.threads = 2});
  const Matrix images = encoder->encode_images(pictures);
  const Matrix vectors = encoder->encode_texts(texts);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        expect_near(encoder->encode_images(pictures), images, 2e-6);
        expect_near(encoder->encode_texts(texts), vectors, 2e-6);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(CpuEncoder, EncodesNothingAsNothing) {
  const auto encoder = make_cpu_encoder(generated_model(small_config(), 3), {.threads = 1});
  EXPECT_EQ(encoder->encode_images({0, 64, {}}).rows, 0U);
  EXPECT_EQ(encoder->encode_texts({}).rows, 0U);
}

TEST(CpuEncoder, RefusesWhatDoesNotFitTheModel) {
  const Checkpoint model = generated_model(small_config(), 3);
  const auto encoder = make_cpu_encoder(model, {.threads = 1});
  EXPECT_EQ(kind_of([&] { encoder->encode_images(generated_pictures(1, 2, 32)); }), Kind::kInput);
  TokenBatch outside;
  outside.add(std::vector<std::int32_t>{598, 600, 599});
  EXPECT_EQ(kind_of([&] { encoder->encode_texts(outside); }), Kind::kInput);
  TokenBatch empty;
  empty.add({});
  EXPECT_EQ(kind_of([&] { encoder->encode_texts(empty); }), Kind::kInput);
  EXPECT_EQ(kind_of([&] { make_cpu_encoder(model, {.device = "cuda"}); }), Kind::kUnsupported);
  Checkpoint broken = model;
  broken.weights.tensors.erase("visual.proj");
  EXPECT_EQ(kind_of([&] { make_cpu_encoder(broken, {}); }), Kind::kCorrupt);
}

TEST(CpuEncoder, SaysWhatRuns) {
  const auto encoder = make_cpu_encoder(generated_model(small_config(), 3), {.threads = 2});
  EXPECT_EQ(encoder->describe(), "onednn 3.2 " + cpu_instruction_set() + " fp32, 2 threads");
}

TEST(CpuBackend, AllocatesNothingOnceItHasRun) {
  const Checkpoint model = generated_model(small_config(), 3);
  for (const Element type : {Element::kF32, Element::kBf16}) {
    if (type == Element::kBf16 && !cpu_has_bf16()) continue;
    PrimitiveCache cache;
    CpuLoader loader(model.weights, model.config.preprocess, type, cache);
    const Clip<CpuBackend> clip(loader, model.config);
    const NormaliseTable table = normalise_table(model.config.preprocess);
    CpuBackend backend(cache, table, best_kernels(), type);
    backend.prepare(1, 32);
    const PixelBatch pictures = generated_pictures(1, 3, 64);
    const TokenBatch texts = generated_texts(1, 9, model.config.text);
    const auto run = [&] {
      clip.image().run(backend, pictures);
      clip.text().run(backend, texts);
    };
    run();
    run();
    const std::size_t before = backend.allocations();
    run();
    EXPECT_EQ(backend.allocations(), before);
  }
}

// oneDNN's plain loops are hundreds of times slower; every product and convolution must be a
// compiled one.
TEST(PrimitiveCache, NeverUsesReferenceImplementations) {
  PrimitiveCache cache;
  for (const Element type : {Element::kF32, Element::kBf16}) {
    if (type == Element::kBf16 && !cpu_has_bf16()) continue;
    for (const int m : {1, 32, 50, 400, 1600}) {
      for (const bool add : {false, true}) {
        cache.matmul({.m = m,
                      .k = 768,
                      .n = 768,
                      .type = type,
                      .bias = true,
                      .add = add,
                      .threads = omp_get_max_threads()});
      }
    }
    for (const int channels : {3, 64, 512}) {
      cache.conv({.batch = 2,
                  .height = 14,
                  .width = 14,
                  .in = channels,
                  .out = 64,
                  .kernel = 3,
                  .padding = 1,
                  .type = type,
                  .add = true,
                  .activation = Activation::kRelu,
                  .threads = omp_get_max_threads()});
    }
  }
  const auto names = cache.implementations();
  EXPECT_FALSE(names.empty());
  for (const std::string& name : names) EXPECT_FALSE(name.starts_with("ref")) << name;
}

}  // namespace
}  // namespace tandem
