// Matrix products in bf16 on AMX tiles. Beside oneDNN's: the next weights are fetched from memory
// while these are in use (a model's weights never fit a core's cache, and every layer brings its
// own), and bias, activation and residual are applied while the result is in the nearest cache.
#include "engine/cpu/kernels-inl.h"
#include "engine/cpu/tiles-inl.h"
#include "engine/cpu/vec_avx512_bf16.h"

namespace tandem {
namespace {

constexpr int kBlock = 32;  // rows and columns of a result block: 2 x 2 tiles
constexpr int kChunkBytes =
    1'200'000;  // of `a` that stay in a core's second-level cache (2 MB) beside a panel
constexpr int kDepth = 1024;  // products summed in tiles before adding to a float32 result

// The part of the next panel that is asked for while a block is computed, spread over its steps:
// all at once, requests would wait for each other.
struct Prefetch {
  const char* at;
  int lines;  // of 64 bytes, each step
};

// A (32,depth) block of a times a (depth,32) panel, left in tiles 0 to 3.
void multiply_panel(const Bf16* a, int stride, const Bf16* panel, int depth, Prefetch next) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const Bf16* second = a + static_cast<std::size_t>(kTile) * stride;
  for (int i = 0; i < depth; i += kPairs) {
    _tile_loadd(6, panel, 64);
    _tile_loadd(4, a + i, stride * 2);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, panel + kTileValues, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, second + i, stride * 2);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    panel += 2 * kTileValues;
    for (int line = 0; line < next.lines; ++line, next.at += 64) _mm_prefetch(next.at, _MM_HINT_T1);
  }
}

void take_tiles(float* block) {
  _tile_stored(0, block, kBlock * 4);
  _tile_stored(1, block + kTile, kBlock * 4);
  _tile_stored(2, block + kTile * kBlock, kBlock * 4);
  _tile_stored(3, block + kTile * kBlock + kTile, kBlock * 4);
}

template <TileProduct::Activation A>
__m512 activate(__m512 x) {
  if constexpr (A == TileProduct::Activation::kGelu) return gelu<Avx512Bf16>(x);
  if constexpr (A == TileProduct::Activation::kQuickGelu) return quick_gelu<Avx512Bf16>(x);
  if constexpr (A == TileProduct::Activation::kGeluTanh) return gelu_tanh<Avx512Bf16>(x);
  return x;
}

template <TileProduct::Activation A>
void store_bf16(const TileProduct& p, const float* block, int row, int rows, int column) {
  const __m512 bias0 = p.bias != nullptr ? _mm512_loadu_ps(p.bias + column) : _mm512_setzero_ps();
  const __m512 bias1 =
      p.bias != nullptr ? _mm512_loadu_ps(p.bias + column + kTile) : _mm512_setzero_ps();
  Bf16* out = static_cast<Bf16*>(p.out) + static_cast<std::size_t>(row) * p.n + column;
  for (int r = 0; r < rows; ++r) {
    const __m512 x = activate<A>(_mm512_add_ps(_mm512_load_ps(block + r * kBlock), bias0));
    const __m512 y = activate<A>(_mm512_add_ps(_mm512_load_ps(block + r * kBlock + kTile), bias1));
    _mm512_storeu_si512(out + static_cast<std::size_t>(r) * p.n,
                        (__m512i)_mm512_cvtne2ps_pbh(y, x));
  }
}

// `begins`: this is the first part of the depth, which brings the bias.
void store_f32(const TileProduct& p, const float* block, int row, int rows, int column,
               bool begins) {
  const bool biased = begins && p.bias != nullptr;
  const __m512 bias0 = biased ? _mm512_loadu_ps(p.bias + column) : _mm512_setzero_ps();
  const __m512 bias1 = biased ? _mm512_loadu_ps(p.bias + column + kTile) : _mm512_setzero_ps();
  float* out = static_cast<float*>(p.out) + static_cast<std::size_t>(row) * p.n + column;
  const bool add = p.add || !begins;
  for (int r = 0; r < rows; ++r, out += p.n) {
    __m512 x = _mm512_add_ps(_mm512_load_ps(block + r * kBlock), bias0);
    __m512 y = _mm512_add_ps(_mm512_load_ps(block + r * kBlock + kTile), bias1);
    if (add) {
      x = _mm512_add_ps(x, _mm512_loadu_ps(out));
      y = _mm512_add_ps(y, _mm512_loadu_ps(out + kTile));
    }
    _mm512_storeu_ps(out, x);
    _mm512_storeu_ps(out + kTile, y);
  }
}

void store_block(const TileProduct& p, const float* block, int row, int rows, int column,
                 bool begins) {
  if (p.type == Element::kF32) return store_f32(p, block, row, rows, column, begins);
  switch (p.activation) {
    case TileProduct::Activation::kNone:
      return store_bf16<TileProduct::Activation::kNone>(p, block, row, rows, column);
    case TileProduct::Activation::kGelu:
      return store_bf16<TileProduct::Activation::kGelu>(p, block, row, rows, column);
    case TileProduct::Activation::kQuickGelu:
      return store_bf16<TileProduct::Activation::kQuickGelu>(p, block, row, rows, column);
    case TileProduct::Activation::kGeluTanh:
      return store_bf16<TileProduct::Activation::kGeluTanh>(p, block, row, rows, column);
  }
}

void prefetch_result(const TileProduct& p, int row, int rows, int column) {
  const float* out =
      static_cast<const float*>(p.out) + static_cast<std::size_t>(row) * p.n + column;
  for (int r = 0; r < rows; ++r) {
    _mm_prefetch(reinterpret_cast<const char*>(out + static_cast<std::size_t>(r) * p.n),
                 _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(out + static_cast<std::size_t>(r) * p.n + kTile),
                 _MM_HINT_T0);
  }
}

// Rows [row_begin,row_end) of all panels, for depth [first, first+depth). A block is finished
// (bias, activation, store) while the tiles of the one after it are still being summed.
void multiply_chunk(const TileProduct& p, int row_begin, int row_end, int first, int depth) {
  alignas(64) float block[kBlock * kBlock];
  const int blocks = (row_end - row_begin + kBlock - 1) / kBlock;
  const int steps = depth / kPairs;
  const int panel_lines = steps * kBlock;
  const int lines = (panel_lines + blocks * steps - 1) / (blocks * steps);
  int done_row = -1;
  int done_column = 0;
  const auto finish = [&] {
    if (done_row < 0) return;
    const int rows = row_end - done_row < kBlock ? row_end - done_row : kBlock;
    store_block(p, block, done_row, rows, done_column, first == 0);
  };
  for (int column = p.column_begin; column < p.column_end; column += kBlock) {
    const Bf16* panel = p.weights + (static_cast<std::size_t>(column) * p.k +
                                     static_cast<std::size_t>(first) * kBlock);
    const char* next =
        reinterpret_cast<const char*>(panel + static_cast<std::size_t>(kBlock) * p.k);
    for (int i = 0; i < blocks; ++i) {
      const int row = row_begin + i * kBlock;
      if (p.type == Element::kF32)
        prefetch_result(p, row, row_end - row < kBlock ? row_end - row : kBlock, column);
      multiply_panel(p.a + static_cast<std::size_t>(row) * p.k + first, p.k, panel, depth,
                     {next, lines});
      next += static_cast<std::size_t>(lines) * steps * 64;
      finish();
      take_tiles(block);
      done_row = row;
      done_column = column;
    }
  }
  finish();
}

}  // namespace

void tile_product(const TileProduct& p) {
  const TileConfig config;
  _tile_loadconfig(&config);
  const int whole = p.type == Element::kF32 && p.k > kDepth ? kDepth : p.k;
  const int chunk = kChunkBytes / (2 * whole) / kBlock * kBlock;
  const int step = chunk < kBlock ? kBlock : chunk;
  for (int row = 0; row < p.m; row += step) {
    const int end = row + step < p.m ? row + step : p.m;
    for (int first = 0; first < p.k; first += whole) {
      multiply_chunk(p, row, end, first, p.k - first < whole ? p.k - first : whole);
    }
  }
  _tile_release();
}

void pack_tiles(const float* weights, int in, int out, Bf16* packed) {
  for (int column = 0; column < out; column += kTile * 2) {
    for (int depth = 0; depth < in; depth += kPairs) {
      for (int half = 0; half < 2; ++half) {
        for (int pair = 0; pair < kTile; ++pair) {
          for (int c = 0; c < kTile; ++c) {
            const float* from = weights + static_cast<std::size_t>(column + half * kTile + c) * in +
                                depth + pair * 2;
            const __m128bh two =
                _mm_cvtneps_pbh(_mm_castpd_ps(_mm_load_sd(reinterpret_cast<const double*>(from))));
            _mm_storeu_si32(packed, (__m128i)two);
            packed += 2;
          }
        }
      }
    }
  }
}

}  // namespace tandem
