// The CPU backend: the Backend concept (model/backend.h) on oneDNN and the engine's own kernels, in
// float32 or bf16. In bf16, matrix products read bf16 and sum in float32, and the residual stream
// stays float32; Map (ResNet) is bf16.
//
// Packed weights live in the handles, primitives in a cache that all threads share. A CpuBackend is
// one thread's running state: a pool of buffers that stops growing after the first passes of a
// given size.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <omp.h>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/tensor.h"
#include "engine/cpu/buffers.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/observations.h"
#include "engine/cpu/primitives.h"
#include "engine/cpu/tile_product_int8.h"
#include "model/backend.h"

namespace tandem {

// A matrix product's second factor, packed. Move-only; immutable.
struct CpuLinear {
  int in = 0;
  int out = 0;
  Element type = Element::kF32;
  bool tiles = false;  // packed by pack_tiles() for the engine's own product, else as oneDNN wants
  AlignedBytes weights;
  std::vector<float> bias;    // empty: none
  std::vector<float> scales;  // kI8: one for each column
  Observations* observer = nullptr;
  std::string name;  // while observing
};

struct CpuNorm {
  bool batch = false;  // gain and bias are of the whole norm, statistics included
  std::vector<float> gain;
  std::vector<float> bias;  // empty: RMS norm
  float eps = 1e-5F;
  Element out = Element::kF32;
  Observations* observer = nullptr;
  std::string name;  // while observing
};

// A convolution with batch norm folded in. Weights are packed when the picture's size is known;
// also, for patches, as a matrix product over pixels in (row, column, channel) order.
struct CpuConv {
  int in = 0;
  int out = 0;
  int kernel = 1;
  int stride = 1;
  int padding = 0;
  int groups = 1;
  Element type = Element::kF32;
  std::vector<float> weights;  // (out,in/groups,k,k); empty when `patches` is used instead
  std::vector<float> bias;     // (out)
  CpuLinear patches;  // stride = kernel: (k*k*3) -> out on pixel - 128, normalisation folded in
  struct Packed {
    std::mutex mutex;
    std::deque<std::pair<dnnl::memory::desc, AlignedBytes>> layouts;
  };
  std::unique_ptr<Packed> packed = std::make_unique<Packed>();
};

// Rows of a matrix, read in place when the checkpoint stores float32.
struct CpuTable {
  const float* row(std::size_t i) const { return data + i * width; }
  const float* data = nullptr;
  std::size_t width = 0;
  std::size_t rows = 0;
  std::vector<float> owned;                         // when converted
  std::vector<std::shared_ptr<const void>> owners;  // when mapped
};

// (rows, columns), on loan from the backend that made it. Rows up to the backend's row multiple are
// there, and zero or of no meaning.
struct CpuTensor {
  int rows = 0;
  int columns = 0;
  Element type = Element::kF32;
  Buffer buffer;
  const CpuNorm* source = nullptr;  // while observing: the norm it came from
  template <typename T>
  T* row(std::size_t i) const {
    return static_cast<T*>(buffer.data()) + i * columns;
  }
  float* f32(std::size_t i = 0) const { return row<float>(i); }
  Bf16* bf16(std::size_t i = 0) const { return row<Bf16>(i); }
  void* at(std::size_t i, std::size_t column = 0) const {
    return static_cast<std::byte*>(buffer.data()) + i * pitch() + column * element_bytes(type);
  }
  // Bytes from row to row: those of kI8 are padded as the product wants them.
  std::size_t pitch() const {
    return type == Element::kI8 ? padded_depth(columns) : columns * element_bytes(type);
  }
  // kI8: value = integer * the row's scale. They follow all rows.
  float* scales(std::size_t i = 0) const {
    return reinterpret_cast<float*>(static_cast<std::byte*>(buffer.data()) +
                                    (rows + 31) / 32 * 32 * pitch()) +
           i;
  }
};

// (batch, height, width, channels).
struct CpuMap {
  int batch = 0;
  int height = 0;
  int width = 0;
  int channels = 0;
  Element type = Element::kF32;
  Buffer buffer;
};

// What the engine's own products apply as they store; nothing for what they cannot.
std::optional<TileProduct::Activation> tile_activation(Activation activation);

class CpuLoader {
 public:
  // `weights` must outlive the loader, not the handles. type: of the matrix products.
  CpuLoader(const TensorMap& weights, const PreprocessConfig& preprocess, Element type,
            PrimitiveCache& cache, Observations* observer = nullptr)
      : weights_(weights),
        preprocess_(preprocess),
        type_(type),
        cache_(cache),
        observer_(observer) {}

  CpuLinear linear(const LinearSpec& spec) const;
  CpuNorm norm(const NormSpec& spec) const;
  CpuConv conv(const ConvSpec& spec) const;
  CpuTable table(const std::string& name) const;
  CpuTable constant(std::vector<float> values, int width) const;

 private:
  CpuLinear pack(std::span<const float> values, int in, int out, Element type,
                 bool transposed) const;
  CpuLinear linear_in_place(const LinearSpec& spec) const;
  CpuConv patches(const ConvSpec& spec) const;
  CpuLinear pack_patches(const CpuConv& conv) const;
  // Of matrices that the checkpoint holds as integers (model/quantised.h).
  CpuLinear linear_int8(const LinearSpec& spec) const;
  void make_smooth(CpuNorm& norm, const std::string& prefix) const;
  void announce(CpuLinear& linear, const LinearSpec& spec) const;

  const TensorMap& weights_;
  const PreprocessConfig& preprocess_;
  Element type_;
  PrimitiveCache& cache_;
  Observations* observer_;
};

class CpuBackend {
 public:
  using Tensor = CpuTensor;
  using Map = CpuMap;
  using Linear = CpuLinear;
  using Norm = CpuNorm;
  using Conv = CpuConv;
  using Table = CpuTable;
  using Loader = CpuLoader;

  // `cache` and `normalise` outlive the backend.
  CpuBackend(PrimitiveCache& cache, const NormaliseTable& normalise, const Kernels& kernels,
             Element type);

  // For the passes that follow: OpenMP threads of each operation (the calling thread's own setting
  // must agree), and the multiple that row counts of matrix products are rounded up to, so that few
  // distinct primitives are made.
  void prepare(int threads, int row_multiple);
  std::size_t allocations() const { return pool_.allocations(); }

  Tensor patch_embed(const PixelBatch& pixels, const Conv& conv);
  Tensor add_class_and_positions(const Tensor& patches, const Table& class_row,
                                 const Table& positions);
  Tensor embed_tokens(const TokenBatch& tokens, const Table& embedding, const Table& positions);
  Tensor embed_tokens(const TokenBatch& tokens, const Table& embedding);
  Tensor add_positions(Tensor&& x, const Table& positions, const Segments& segments);
  Tensor add_grid_positions(Tensor&& x, const Table& positions, std::span<const GridSize> grids);
  Tensor repeat_rows(const Table& table, int count);
  Tensor layer_norm(const Tensor& x, const Norm& norm);
  Tensor linear(const Tensor& x, const Linear& linear, Activation activation);
  Tensor linear_add(const Tensor& x, const Linear& linear, Tensor&& residual);
  Tensor self_attention(const Tensor& qkv, const Segments& segments, int heads, Mask mask);
  Tensor pool_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Segments& segments,
                        int heads);
  Tensor add(Tensor&& residual, const Tensor& x);
  Tensor gated(const Tensor& x, Activation activation);
  Tensor rotary(Tensor&& qkv, const Table& angles, const Segments& segments, int heads, int skip);
  Tensor cross_attention(const Tensor& q, const Segments& q_segments, const Tensor& k,
                         const Tensor& v, const Segments& segments, int heads);
  Tensor masked_attention(const Tensor& qkv, const Segments& segments, int heads,
                          std::span<const std::int32_t> hidden);
  Tensor append_row(const Tensor& x, const Segments& segments, const Table& row,
                    const Table& positions, int place);
  Tensor biased_attention(const Tensor& qkv, const Segments& segments, int heads, float scale,
                          const Table& bias, std::span<const std::int32_t> buckets);
  Tensor take_rows(const Tensor& x, std::span<const std::int32_t> rows);
  Tensor mean_rows(const Tensor& x, const Segments& segments);
  Tensor join_rows(const Tensor& x, const Tensor& y);
  Tensor scores(const Tensor& x, const Linear& linear);
  // Token merging (model/token_merge.h), which only this backend has: in every segment, all of one
  // length, `count` rows of the residual stream x become part of others, by the keys in qkv.
  // `sizes`: how many patches each row stands for, before and after.
  Tensor merge_tokens(Tensor&& x, const Tensor& qkv, const Segments& segments, int heads, int count,
                      std::vector<float>& sizes);

  Map pixel_map(const PixelBatch& pixels);
  Map conv(const Map& x, const Conv& conv, Activation activation);
  Map conv_add_relu(const Map& x, const Conv& conv, const Map& residual);
  Map avg_pool(const Map& x, int k);
  Tensor mean_and_positions(const Map& x, const Table& positions);
  Tensor to_rows(Map&& x);
  Map to_map(const Tensor& x, int height, int width);
  Tensor mean_pixel(const Map& x);
  Map gate_channels(Map&& x, const Tensor& gates, Activation activation);

  // x scaled to unit rows, copied to `out`, which holds (rows, columns).
  void unit_rows(const Tensor& x, float* out);

 private:
  Tensor tensor(int rows, int columns, Element type);
  Map map(int batch, int height, int width, int channels);
  Tensor to_type(const Tensor& x, Element type);
  Tensor quantised(const Tensor& x);
  Tensor from_int8(const Tensor& x, Element type);
  Tensor rms_norm(const Tensor& x, const Norm& norm);
  Tensor layer_norm_int8(const Tensor& x, const Norm& norm);
  void run_int8(const Tensor& x, const Linear& linear, const Tensor& out, bool add,
                Activation activation);
  void run_tiles_int8(const Tensor& x, const Linear& linear, const Tensor& out, bool add,
                      Activation activation);
  // Of the norm's output, and of what a product reads.
  static void observe(Tensor& out, const Norm& norm);
  static void observe(const Tensor& x, const Linear& linear);
  void run_matmul(const Tensor& x, const Linear& linear, const Tensor& out, bool add,
                  Activation activation);
  void run_tiles(const Tensor& x, const Linear& linear, const Tensor& out, bool add,
                 Activation activation);
  void run_conv(const Map& x, const Conv& conv, const Map& out, bool add, Activation activation);
  void activate(const Map& x, Activation activation);
  Map repeat_channels(const Map& x, int times);
  Tensor batch_norm(const Tensor& x, const Norm& norm);
  void execute(const Primitive& p, std::unordered_map<int, dnnl::memory>& args);
  void activate(const Tensor& x, Activation activation);
  // Calls body(begin, end) on parts of [0,n) on up to threads_ threads.
  template <typename Body>
  void split(std::size_t n, const Body& body) const;

  PrimitiveCache& cache_;
  const NormaliseTable& normalise_;
  const Kernels& kernels_;
  Element type_;
  int threads_ = 1;
  int row_multiple_ = 1;
  dnnl::stream stream_;
  BufferPool pool_;
};

template <typename Body>
void CpuBackend::split(std::size_t n, const Body& body) const {
  if (threads_ == 1 || n < 2) return body(std::size_t{0}, n);
#pragma omp parallel num_threads(threads_)
  {
    const auto parts = static_cast<std::size_t>(omp_get_num_threads());
    const auto part = static_cast<std::size_t>(omp_get_thread_num());
    body(n * part / parts, n * (part + 1) / parts);
  }
}

}  // namespace tandem
