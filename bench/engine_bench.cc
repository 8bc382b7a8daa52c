// How close the CPU engine comes to the machine: images a second of ViT-B/32 and texts a second of
// its text tower beside the rate of plain matrix products of the same shapes, measured in turn in
// one run.
//
//   engine_bench [fp32|bf16|int8] [THREADS] [ROUNDS] [IMAGES] [TEXTS]
//                [b32|b16|l14|l14-336|h14|so400m]
//
// Share of the ceiling = (nominal operations of the model / seconds) / (rate of the plain
// products). Nominal: every layer whole, attention included, although the last block computes only
// the pooled row. Texts count their own tokens.
#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <string>
#include <vector>

#include "engine/cpu/gemm_bench.h"
#include "engine/generated_model.h"

namespace {

using namespace tandem;

double seconds(const std::function<void()>& work, int threads) {
  const double start = bench_seconds(threads);
  work();
  return bench_seconds(threads) - start;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Captions of natural length: median 11 tokens with start and end, 5 to 30.
TokenBatch captions(int count, const TextConfig& config) {
  constexpr int kLengths[] = {7, 8, 9, 9, 10, 10, 11, 11, 11, 12, 12, 13, 14, 16, 19, 25};
  TokenBatch batch;
  for (int i = 0; i < count; ++i) {
    std::vector<std::int32_t> ids(kLengths[i % std::size(kLengths)], 0);
    for (std::size_t j = 0; j < ids.size(); ++j)
      ids[j] = static_cast<std::int32_t>((i * 7919 + j * 104'729) % 40'000);
    ids.front() = config.vocab_size - 2;
    ids.back() = config.vocab_size - 1;
    batch.add(ids);
  }
  return batch;
}

// The shapes of a few public models (so400m: its width and heads in CLIP's own blocks).
ModelConfig config_of(const std::string& name) {
  ModelConfig config;
  config.vision.patch_px = name == "b16" ? 16 : name == "b32" ? 32 : 14;
  if (config.vision.patch_px > 14) return config;
  const bool large = name.starts_with("l14");
  config.vision.width = large ? 1024 : name == "h14" ? 1280 : 1152;
  config.vision.layers = large ? 24 : name == "h14" ? 32 : 27;
  config.vision.head_width = large ? 64 : name == "h14" ? 80 : 72;
  config.vision.image_size_px = name == "l14-336" ? 336 : 224;
  config.preprocess.size_px = config.vision.image_size_px;
  config.text.width = 768;
  config.text.heads = 12;
  config.embed_dim = 768;
  return config;
}

struct Tower {
  std::string name;
  int items;
  double flops;
  std::vector<GemmShape> shapes;
  std::function<void()> run;
  std::vector<double> times;
  std::vector<double> ceilings;
};

void report(const Tower& t) {
  const double best = *std::min_element(t.times.begin(), t.times.end());
  const double typical = median(t.times);
  const double ceiling = median(t.ceilings);
  const double top = *std::max_element(t.ceilings.begin(), t.ceilings.end());
  fmt::print("{}: batch {}, median {:.1f} ms = {:.1f}/s, best {:.1f} ms = {:.1f}/s\n", t.name,
             t.items, typical * 1e3, t.items / typical, best * 1e3, t.items / best);
  fmt::print(
      "  {:.1f} GFLOP; products {:.0f} GFLOP/s (best round {:.0f}): share of the ceiling {:.1f} % "
      "median to median, "
      "{:.1f} % best to best\n",
      t.flops / 1e9, ceiling, top, 100 * t.flops / 1e9 / typical / ceiling,
      100 * t.flops / 1e9 / best / top);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string precision = argc > 1 ? argv[1] : "bf16";
  const int threads = argc > 2 ? std::stoi(argv[2]) : 2;
  const int rounds = argc > 3 ? std::stoi(argv[3]) : 9;
  const int images = argc > 4 ? std::stoi(argv[4]) : 32;
  const int texts = argc > 5 ? std::stoi(argv[5]) : 64;
  const std::string model = argc > 6 ? argv[6] : "b32";
  const ModelConfig config = config_of(model);
  const Precision p = precision == "bf16"   ? Precision::kBf16
                      : precision == "int8" ? Precision::kInt8
                                            : Precision::kFp32;
  const auto encoder =
      make_cpu_encoder(generated_model(config, 1), {.precision = p, .threads = threads});
  fmt::print("{}\n", encoder->describe());
  const PixelBatch pixels = generated_pictures(1, images, config.vision.image_size_px);
  const TokenBatch tokens = captions(texts, config.text);
  std::vector<int> lengths;
  for (int i = 0; i < texts; ++i) lengths.push_back(tokens.offsets[i + 1] - tokens.offsets[i]);
  Tower towers[] = {{model + " images",
                     images,
                     image_flops(config, images),
                     image_shapes(config, images),
                     [&] { encoder->encode_images(pixels); },
                     {},
                     {}},
                    {model + " texts",
                     texts,
                     text_flops(config, lengths),
                     text_shapes(config, tokens.offsets.back()),
                     [&] { encoder->encode_texts(tokens); },
                     {},
                     {}}};
  for (Tower& t : towers) {
    if (t.items == 0) continue;
    t.run();
    t.run();
  }
  for (int round = 0; round < rounds; ++round) {
    for (Tower& t : towers) {
      if (t.items == 0) continue;
      t.ceilings.push_back(
          weighted_rate(bench_gemm(t.shapes, {.precision = p, .threads = threads, .runs = 7})));
      for (int i = 0; i < 3; ++i) t.times.push_back(seconds(t.run, threads));
    }
  }
  for (const Tower& t : towers) {
    if (t.items > 0) report(t);
  }
}
