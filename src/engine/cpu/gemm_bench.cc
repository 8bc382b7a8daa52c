#include "engine/cpu/gemm_bench.h"

#include <algorithm>
#include <bit>
#include <ctime>
#include <omp.h>

#include "core/error.h"
#include "core/threads.h"
#include "engine/cpu/primitives.h"
#include "model/eva.h"

namespace tandem {
namespace {

double flops(const GemmShape& s) { return 2.0 * s.m * s.k * s.n; }

// Values between 0.5 and 2 of both signs: products of zeros draw less power, which lets the
// processor run faster than it does with real numbers.
void fill(const AlignedBytes& bytes, Element type) {
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < bytes.size_bytes() / element_bytes(type); ++i) {
    state = state * 1'664'525U + 1'013'904'223U;
    const std::uint32_t bits = 0x3F000000U + (state >> 8 & 0x00FFFFFFU) + (state & 0x80000000U);
    if (type == Element::kI8) {
      bytes.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(state >> 24);
    } else if (type == Element::kF32) {
      bytes.as<float>()[i] = std::bit_cast<float>(bits);
    } else {
      bytes.as<Bf16>()[i] = static_cast<Bf16>(bits >> 16);
    }
  }
}

Element element_of(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return Element::kF32;
    case Precision::kBf16:
      return Element::kBf16;
    case Precision::kInt8:
      return Element::kI8;
  }
  throw Error(Kind::kInternal, "bench gemm: not a precision");
}

// One shape's product with `copies` matrices of weights.
class Product {
 public:
  Product(const dnnl::engine& engine, const GemmShape& s, Element type, int copies) : shape_(s) {
    using Tag = dnnl::memory::format_tag;
    const dnnl::memory::desc src({s.m, s.k}, dnnl_type(type), Tag::ab);
    const dnnl::memory::desc weights({s.k, s.n}, dnnl_type(type), Tag::any);
    const Element result = type == Element::kI8 ? Element::kBf16 : type;
    const dnnl::memory::desc dst({s.m, s.n}, dnnl_type(result), Tag::ab);
    const dnnl::matmul::primitive_desc pd(engine, src, weights, dst);
    product_ = dnnl::matmul(pd);
    implementation_ = pd.impl_info_str();
    a_ = AlignedBytes(src.get_size());
    c_ = AlignedBytes(dst.get_size());
    fill(a_, type);
    fill(c_, result);
    for (int i = 0; i < copies; ++i) {
      AlignedBytes& b = b_.emplace_back(pd.weights_desc().get_size());
      fill(b, type);
      args_.push_back({{DNNL_ARG_SRC, dnnl::memory(src, engine, a_.data())},
                       {DNNL_ARG_WEIGHTS, dnnl::memory(pd.weights_desc(), engine, b.data())},
                       {DNNL_ARG_DST, dnnl::memory(dst, engine, c_.data())}});
    }
  }

  void run(dnnl::stream& stream, int copy) const { product_.execute(stream, args_[copy]); }
  const GemmShape& shape() const { return shape_; }
  const std::string& implementation() const { return implementation_; }

 private:
  GemmShape shape_;
  dnnl::matmul product_;
  std::string implementation_;
  AlignedBytes a_, c_;
  std::vector<AlignedBytes> b_;
  std::vector<std::unordered_map<int, dnnl::memory>> args_;
};

// Sorted seconds of `runs` runs, after 3 that do not count.
template <typename Work>
std::vector<double> sorted_times(int threads, int runs, const Work& work) {
  std::vector<double> times;
  for (int i = -3; i < runs; ++i) {
    const double start = bench_seconds(threads);
    work();
    if (i >= 0) times.push_back(bench_seconds(threads) - start);
  }
  std::sort(times.begin(), times.end());
  return times;
}

GemmRate bench_one(const dnnl::engine& engine, const GemmShape& s, Element type, int threads,
                   int runs) {
  const Product product(engine, s, type, 1);
  dnnl::stream stream(engine);
  const auto times = sorted_times(threads, runs, [&] {
    product.run(stream, 0);
    stream.wait();
  });
  return {s, flops(s) / 1e9 / times[times.size() / 2], flops(s) / 1e9 / times.front(),
          product.implementation()};
}

// What a benchmark of products runs on, for as long as it lives.
class Bench {
 public:
  explicit Bench(const GemmBenchOptions& options)
      : type(element_of(options.precision)),
        threads(options.threads > 0 ? options.threads : static_cast<int>(available_threads())),
        runs(std::max(1, options.runs)),
        before_(omp_get_max_threads()) {
    if (options.precision == Precision::kBf16 && !cpu_has_bf16())
      throw Error(Kind::kUnsupported, "bench gemm: this CPU has no bf16 products. Use fp32.");
    if (options.precision == Precision::kInt8 && !cpu_has_int8())
      throw Error(Kind::kUnsupported, "bench gemm: this CPU has no int8 products. Use fp32.");
    omp_set_num_threads(threads);
  }
  ~Bench() { omp_set_num_threads(before_); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  const dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  const Element type;
  const int threads;
  const int runs;

 private:
  int before_;
};

void add_blocks(std::vector<GemmShape>& shapes, int rows, int width, int hidden, int layers) {
  shapes.push_back({rows, width, 3 * width, layers});
  shapes.push_back({rows, width, width, layers});
  shapes.push_back({rows, width, hidden, layers});
  shapes.push_back({rows, hidden, width, layers});
}

// One segment of `length` rows through a tower's blocks: linear layers, q k^T and the weighted sum
// of v.
double block_flops(double length, double width, double hidden, int layers) {
  return layers *
         (2.0 * length * width * (4.0 * width + 2.0 * hidden) + 4.0 * length * length * width);
}

}  // namespace

double bench_seconds(int threads) {
  timespec now{};
  clock_gettime(threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::vector<GemmRate> bench_gemm(std::span<const GemmShape> shapes,
                                 const GemmBenchOptions& options) {
  const Bench bench(options);
  std::vector<GemmRate> rates;
  for (const GemmShape& s : shapes)
    rates.push_back(bench_one(bench.engine, s, bench.type, bench.threads, bench.runs));
  return rates;
}

double bench_pass(std::span<const GemmShape> shapes, const GemmBenchOptions& options) {
  const Bench bench(options);
  std::vector<Product> products;
  int layers = 0;
  double work = 0;
  for (const GemmShape& s : shapes) {
    products.emplace_back(bench.engine, s, bench.type, s.count);
    layers = std::max(layers, s.count);
    work += flops(s) * s.count;
  }
  dnnl::stream stream(bench.engine);
  const auto times = sorted_times(bench.threads, bench.runs, [&] {
    for (int layer = 0; layer < layers; ++layer) {
      for (const Product& product : products) {
        if (layer < product.shape().count) product.run(stream, layer);
      }
    }
    stream.wait();
  });
  return work / 1e9 / times[times.size() / 2];
}

double weighted_rate(std::span<const GemmRate> rates) {
  double work = 0;
  double seconds = 0;
  for (const GemmRate& r : rates) {
    work += flops(r.shape) / 1e9 * r.shape.count;
    seconds += flops(r.shape) / 1e9 * r.shape.count / r.gflops;
  }
  return seconds > 0 ? work / seconds : 0;
}

bool counts_images(const ModelConfig& config) {
  using Family = VisionFamily;
  const Family family = config.vision.family;
  // EVA02's gated layers are a product more, which is not counted yet.
  return family == Family::kVit || family == Family::kTimmVit ||
         (family == Family::kEva && !eva_model(config.vision).is(EvaModel::Kind::kEva02));
}

std::vector<GemmShape> image_shapes(const ModelConfig& config, int images) {
  const VisionConfig& v = config.vision;
  if (!counts_images(config))
    throw Error(Kind::kUnsupported,
                "bench gemm: this image tower's layers are convolutions. Expected a ViT.");
  const int patches = v.grid() * v.grid();
  std::vector<GemmShape> shapes{{images * patches, v.patch_px * v.patch_px * 3, v.width, 1}};
  add_blocks(shapes, images * (patches + 1), v.width, static_cast<int>(v.width * v.mlp_ratio),
             v.layers);
  return shapes;
}

std::vector<GemmShape> text_shapes(const ModelConfig& config, int tokens) {
  std::vector<GemmShape> shapes;
  add_blocks(shapes, tokens, config.text.width,
             static_cast<int>(config.text.width * config.text.mlp_ratio), config.text.layers);
  return shapes;
}

double image_flops(const ModelConfig& config, int images) {
  const VisionConfig& v = config.vision;
  const double patches = v.grid() * v.grid();
  const double embed =
      2.0 * patches * v.patch_px * v.patch_px * 3 * v.width + 2.0 * v.width * config.embed_dim;
  return images * (embed + block_flops(patches + 1, v.width, v.width * v.mlp_ratio, v.layers));
}

double text_flops(const ModelConfig& config, std::span<const int> lengths) {
  const TextConfig& t = config.text;
  double sum = 0;
  for (const int length : lengths) {
    sum += block_flops(length, t.width, t.width * t.mlp_ratio, t.layers) +
           2.0 * t.width * config.embed_dim;
  }
  return sum;
}

}  // namespace tandem
