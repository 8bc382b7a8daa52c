// Matrix products in int8 on AMX tiles. The tile unit and the vector units work at the same time
// only if their instructions alternate closely: a finished block of the result is turned into its
// final form (scales, bias, activation, residual) a few rows at each step of the next block's sums.
#include "engine/cpu/tile_product_int8.h"

#include <immintrin.h>

#include "engine/cpu/kernels-inl.h"
#include "engine/cpu/tiles-inl.h"
#include "engine/cpu/vec_avx512_bf16.h"

namespace tandem {
namespace {

constexpr int kBlock = 32;                  // rows and columns of a result block: 2 x 2 tiles
constexpr int kStep = kBlock * kInt8Depth;  // bytes of a panel that one step reads
constexpr int kChunkBytes =
    1'200'000;  // of `a` that stay in a core's second-level cache (2 MB) beside a panel

using Activation = TileProduct::Activation;

template <Activation A>
__m512 activate(__m512 x) {
  if constexpr (A == Activation::kGelu) return gelu<Avx512Bf16>(x);
  if constexpr (A == Activation::kGeluTanh) return gelu_tanh<Avx512Bf16>(x);
  if constexpr (A == Activation::kQuickGelu) return quick_gelu<Avx512Bf16>(x);
  return x;
}

// A block whose sums are complete: 32 x 32 integers, and where the result goes.
struct Done {
  const std::int32_t* sums = nullptr;
  int row = 0;
  int rows = 0;  // of the result that exist; 0: nothing to do
  int column = 0;
};

// Turns rows of a Done block into the result. Kind: bf16 with an activation, or float32 with or
// without a residual.
template <Element E, bool Add, Activation A>
class Finish {
 public:
  Finish(const TileProductInt8& p, const Done& done) : sums_(done.sums), rows_(done.rows) {
    n_ = p.n;
    if (rows_ == 0) return;
    row_scales_ = p.row_scales + done.row;
    scale0_ = _mm512_loadu_ps(p.column_scales + done.column);
    scale1_ = _mm512_loadu_ps(p.column_scales + done.column + kTile);
    const bool biased = p.bias != nullptr;
    bias0_ = biased ? _mm512_loadu_ps(p.bias + done.column) : _mm512_setzero_ps();
    bias1_ = biased ? _mm512_loadu_ps(p.bias + done.column + kTile) : _mm512_setzero_ps();
    out_ = static_cast<std::byte*>(p.out) +
           (static_cast<std::size_t>(done.row) * p.n + done.column) * element_bytes(E);
  }

  // The next `count` rows, as far as there are any.
  void rows(int count) {
    const int end = at_ + count < rows_ ? at_ + count : rows_;
    for (; at_ < end; ++at_) one();
  }

 private:
  void one() {
    const __m512 scale = _mm512_set1_ps(row_scales_[at_]);
    const std::int32_t* sums = sums_ + at_ * kBlock;
    __m512 x = _mm512_cvtepi32_ps(_mm512_load_si512(sums));
    __m512 y = _mm512_cvtepi32_ps(_mm512_load_si512(sums + kTile));
    x = activate<A>(_mm512_fmadd_ps(x, _mm512_mul_ps(scale, scale0_), bias0_));
    y = activate<A>(_mm512_fmadd_ps(y, _mm512_mul_ps(scale, scale1_), bias1_));
    if constexpr (E == Element::kBf16) {
      _mm512_storeu_si512(out_, (__m512i)_mm512_cvtne2ps_pbh(y, x));
    } else {
      auto* out = reinterpret_cast<float*>(out_);
      if constexpr (Add) {
        x = _mm512_add_ps(x, _mm512_loadu_ps(out));
        y = _mm512_add_ps(y, _mm512_loadu_ps(out + kTile));
      }
      _mm512_storeu_ps(out, x);
      _mm512_storeu_ps(out + kTile, y);
    }
    out_ += static_cast<std::size_t>(n_) * element_bytes(E);
  }

  const std::int32_t* sums_;
  const float* row_scales_ = nullptr;
  std::byte* out_ = nullptr;
  __m512 scale0_, scale1_, bias0_, bias1_;
  int rows_;
  int n_ = 0;
  int at_ = 0;
};

// One step of a block: (32,64) of a times (64,32) of the panel, added to tiles 0 to 3.
void multiply_step(const std::int8_t* a, const std::int8_t* second, int stride,
                   const std::int8_t* panel) {
  _tile_loadd(6, panel, 64);
  _tile_loadd(4, a, stride);
  _tile_dpbssd(0, 4, 6);
  _tile_loadd(7, panel + kTileBytes, 64);
  _tile_dpbssd(1, 4, 7);
  _tile_loadd(5, second, stride);
  _tile_dpbssd(2, 5, 6);
  _tile_dpbssd(3, 5, 7);
}

void take_tiles(std::int32_t* sums) {
  _tile_stored(0, sums, kBlock * 4);
  _tile_stored(1, sums + kTile, kBlock * 4);
  _tile_stored(2, sums + kTile * kBlock, kBlock * 4);
  _tile_stored(3, sums + kTile * kBlock + kTile, kBlock * 4);
}

// Rows [row_begin,row_end) of all panels.
template <Element E, bool Add, Activation A>
void multiply_chunk(const TileProductInt8& p, int row_begin, int row_end) {
  alignas(64) std::int32_t sums[2][kBlock * kBlock];
  const int blocks = (row_end - row_begin + kBlock - 1) / kBlock;
  const int steps = p.k / kInt8Depth;
  const int share = (kBlock + steps - 1) / steps;  // rows of the last block finished each step
  // Lines of the next panel asked for each step: all at once, requests would wait for each other.
  const int lines = (steps * (kStep / 64) + blocks * steps - 1) / (blocks * steps);
  Done done;
  int which = 0;
  for (int column = p.column_begin; column < p.column_end; column += kBlock) {
    const std::int8_t* panel = p.weights + static_cast<std::size_t>(column) * p.k;
    const auto* next =
        reinterpret_cast<const char*>(panel + static_cast<std::size_t>(kBlock) * p.k);
    for (int i = 0; i < blocks; ++i, which ^= 1) {
      const int row = row_begin + i * kBlock;
      const std::int8_t* a = p.a + static_cast<std::size_t>(row) * p.k;
      const std::int8_t* second = a + static_cast<std::size_t>(kTile) * p.k;
      Finish<E, Add, A> finish(p, done);
      const int rows = row_end - row < kBlock ? row_end - row : kBlock;
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
      for (int s = 0; s < steps; ++s) {
        multiply_step(a + s * kInt8Depth, second + s * kInt8Depth, p.k, panel + s * kStep);
        for (int line = 0; line < lines; ++line, next += 64) _mm_prefetch(next, _MM_HINT_T1);
        finish.rows(share);
      }
      take_tiles(sums[which]);
      done = {sums[which], row, rows, column};
    }
  }
  Finish<E, Add, A>(p, done).rows(kBlock);
}

template <Element E, bool Add, Activation A>
void multiply_all(const TileProductInt8& p) {
  const int chunk = kChunkBytes / p.k / kBlock * kBlock;
  const int step = chunk < kBlock ? kBlock : chunk;
  for (int row = 0; row < p.m; row += step)
    multiply_chunk<E, Add, A>(p, row, row + step < p.m ? row + step : p.m);
}

void multiply_bf16(const TileProductInt8& p) {
  switch (p.activation) {
    case Activation::kNone:
      return multiply_all<Element::kBf16, false, Activation::kNone>(p);
    case Activation::kGelu:
      return multiply_all<Element::kBf16, false, Activation::kGelu>(p);
    case Activation::kGeluTanh:
      return multiply_all<Element::kBf16, false, Activation::kGeluTanh>(p);
    case Activation::kQuickGelu:
      return multiply_all<Element::kBf16, false, Activation::kQuickGelu>(p);
  }
}

}  // namespace

void tile_product_int8(const TileProductInt8& p) {
  const TileConfig config;
  _tile_loadconfig(&config);
  if (p.type == Element::kBf16) {
    multiply_bf16(p);
  } else if (p.add) {
    multiply_all<Element::kF32, true, Activation::kNone>(p);
  } else {
    multiply_all<Element::kF32, false, Activation::kNone>(p);
  }
  _tile_release();
}

void pack_tiles_int8(const std::int8_t* weights, int in, int out, std::int8_t* packed) {
  const int depth = padded_depth(in);
  for (int column = 0; column < out; column += kBlock) {
    for (int i = 0; i < depth; i += kInt8Depth) {
      for (int tile = 0; tile < 2; ++tile) {
        for (int four = 0; four < kTile; ++four) {
          for (int c = 0; c < kTile; ++c) {
            const std::int8_t* row =
                weights + static_cast<std::size_t>(column + tile * kTile + c) * in;
            for (int j = i + four * 4; j < i + four * 4 + 4; ++j)
              *packed++ = j < in ? row[j] : std::int8_t{0};
          }
        }
      }
    }
  }
}

}  // namespace tandem
