// The engine's own CPU kernels: everything that is not a matrix product or a convolution. One table
// of functions for each instruction set, compiled from the same templates (kernels-inl.h,
// attention-inl.h) over the vector types in vec_*.h; picked at run time. Plain pointers and
// single-threaded: callers split the work.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem {

enum class Element { kF32, kBf16, kI8 };  // kI8: with a float32 scale for each row
using Bf16 = std::uint16_t;

constexpr std::size_t element_bytes(Element e) {
  return e == Element::kF32 ? 4 : e == Element::kBf16 ? 2 : 1;
}

// Self-attention of one segment and one head. q, k, v, out point at the head's first column of the
// segment's first row.
struct AttentionUnit {
  const void* q = nullptr;
  const void* k = nullptr;
  const void* v = nullptr;
  void* out = nullptr;
  int stride = 0;      // elements between rows of q, k, v
  int out_stride = 0;  // elements between rows of out
  int length = 0;      // rows of the segment, T
  int head = 0;        // columns of a head
  bool causal = false;
};

// out (M,N) = [out +] act(a (M,K) * W + bias), W packed by pack_tiles(). Columns [column_begin,
// column_end) of it. Requires: K and N multiples of 32; a readable up to the next multiple of 32
// rows; a bf16 out on a 64-byte boundary.
struct TileProduct {
  enum class Activation { kNone, kGelu, kQuickGelu, kGeluTanh };
  const Bf16* a = nullptr;
  const Bf16* weights = nullptr;
  const float* bias = nullptr;  // null: none
  void* out = nullptr;
  Element type = Element::kBf16;  // of out
  bool add = false;               // Requires: type kF32, activation kNone
  Activation activation = Activation::kNone;
  void* scratch = nullptr;  // tile_product_scratch() bytes on a 64-byte boundary
  int m = 0;
  int k = 0;
  int n = 0;
  int column_begin = 0;
  int column_end = 0;
};

// W (out,in) row-major to the order tile_product reads: panels of 32 columns, in each 32 by 32
// blocks down the depth, a block as two tiles of 16 columns with pairs of the depth side by side.
// Writes out * in values.
void pack_tiles(const float* weights, int in, int out, Bf16* packed);

struct TileProductInt8;

struct Kernels {
  const char* name;

  // out row = (x - mean) / sqrt(variance + eps) * gain + bias, statistics over `width`. `out` may
  // be x for kF32.
  void (*layer_norm)(const float* x, int rows, int width, const float* gain, const float* bias,
                     float eps, void* out, Element type);
  // In place. GELU by erf and by tanh (both to bf16's precision), x * sigmoid(1.702 x), x *
  // sigmoid(x), max(x, 0).
  void (*gelu_bf16)(Bf16* x, std::size_t count);
  void (*gelu_tanh_bf16)(Bf16* x, std::size_t count);
  void (*quick_gelu_bf16)(Bf16* x, std::size_t count);
  void (*silu_bf16)(Bf16* x, std::size_t count);
  void (*relu_bf16)(Bf16* x, std::size_t count);
  void (*to_bf16)(const float* x, Bf16* out, std::size_t count);
  void (*to_f32)(const Bf16* x, float* out, std::size_t count);
  void (*add)(const float* a, const float* b, float* out, std::size_t count);
  // sum += x
  void (*accumulate)(const void* x, Element type, float* sum, std::size_t count);
  // pixel - 128: exact in bf16.
  void (*center_pixels)(const std::uint8_t* pixels, void* out, Element type, std::size_t count);
  // One output row of k x k average pooling, stride k: x points at the first of k input rows of
  // width_in pixels.
  void (*avg_pool_row)(const void* x, void* out, Element type, int width_in, int channels, int k);
  // x /= |x|; a zero row stays zero.
  void (*unit_row)(float* x, std::size_t count);

  // Floats of scratch that `attention` needs for segments of up to `length` rows.
  std::size_t (*attention_scratch)(int length, int head);
  void (*attention_f32)(const AttentionUnit& unit, float* scratch);
  void (*attention_bf16)(const AttentionUnit& unit, float* scratch);
  // Null where there are no tiles. Bytes of scratch that a product of this shape needs, whatever
  // its columns.
  std::size_t (*tile_product_scratch)(const TileProduct& product);
  void (*tile_product)(const TileProduct& product);
  void (*tile_product_int8)(const TileProductInt8& product);
  // out = x / scale rounded to whole numbers from -127 to 127, then zeros up to `padded`; returns
  // scale = max |x| / 127. Null where there are no int8 products.
  float (*quantise_row)(const void* x, Element type, int width, int padded, std::int8_t* out);
  // One query (unit.q, one row; out one row) over `length` keys and values. Scratch: as above.
  void (*pool_attention_f32)(const AttentionUnit& unit, float* scratch);
  void (*pool_attention_bf16)(const AttentionUnit& unit, float* scratch);
};

// Parts of amx_kernels().
std::size_t tile_product_scratch(const TileProduct& product);
void tile_product(const TileProduct& product);

// The tables. Those this CPU cannot run must not be called.
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
const Kernels& avx512_bf16_kernels();
const Kernels& amx_kernels();  // attention on tiles; Requires: the process may use AMX (oneDNN asks
                               // the system for it)

}  // namespace tandem
