// Self-attention of one segment and head on AMX tiles (16 rows of 64 bytes): bf16 products, float32
// sums and softmax. A block of 32 queries at a time against all keys; scores and weights stay in
// the nearest cache.
#include "engine/cpu/attention-inl.h"
#include "engine/cpu/quantize-inl.h"
#include "engine/cpu/tile_product_int8.h"
#include "engine/cpu/tiles-inl.h"
#include "engine/cpu/vec_avx512_bf16.h"

namespace tandem {
namespace {

// Parts of the scratch, in bytes from its first 64-byte boundary.
struct Layout {
  Layout(int length, int head) : keys(round_up(length, kPairs)), columns(round_up(head, kPairs)) {}
  std::size_t q() const { return 0; }  // (32, columns) bf16
  std::size_t k() const {
    return q() + std::size_t{2} * kPairs * columns;
  }  // key tiles x depth tiles
  std::size_t v() const {
    return k() + std::size_t{2} * keys * columns;
  }  // depth tiles x column tiles
  std::size_t scores() const { return v() + std::size_t{2} * keys * columns; }  // (32, keys) float
  std::size_t weights() const {
    return scores() + std::size_t{4} * kPairs * keys;
  }  // (32, keys) bf16
  std::size_t out() const {
    return weights() + std::size_t{2} * kPairs * keys;
  }  // (32, columns) float
  std::size_t size() const { return out() + std::size_t{4} * kPairs * columns + 64; }
  int keys;
  int columns;
};

__m512i load_masked(const Bf16* p, int count) {
  const __mmask32 mask = count >= 32 ? ~__mmask32{0} : (__mmask32{1} << count) - 1;
  return _mm512_maskz_loadu_epi16(mask, p);
}

// Asks for the same rows of the next head, which is most likely next: rows are too far apart for
// the processor to guess.
void prefetch_next(const void* rows, const AttentionUnit& u) {
  const auto* next = static_cast<const Bf16*>(rows) + u.head;
  for (int r = 0; r < u.length; ++r) {
    const Bf16* row = next + static_cast<std::size_t>(r) * u.stride;
    for (int c = 0; c < u.head; c += kPairs)
      _mm_prefetch(reinterpret_cast<const char*>(row + c), _MM_HINT_T0);
  }
}

// Keys as the second factor of q k^T: tile (key tile, depth tile) holds, for each pair of columns,
// 16 keys side by side.
void pack_keys(const AttentionUnit& u, Bf16* out, const Layout& at) {
  const auto* k = static_cast<const Bf16*>(u.k);
  for (int j = 0; j < at.keys; j += kTile) {
    for (int c = 0; c < at.columns; c += kPairs) {
      __m512 block[kTile];
      for (int i = 0; i < kTile; ++i) {
        block[i] = j + i < u.length
                       ? _mm512_castsi512_ps(load_masked(
                             k + static_cast<std::size_t>(j + i) * u.stride + c, u.head - c))
                       : _mm512_setzero_ps();
      }
      Avx512::transpose(block);
      for (int i = 0; i < kTile; ++i)
        _mm512_store_ps(reinterpret_cast<float*>(out + i * kPairs), block[i]);
      out += kTileValues;
    }
  }
}

// Values as the second factor of weights * v: tile (32 keys, 16 columns) holds pairs of keys side
// by side.
void pack_values(const AttentionUnit& u, Bf16* out, const Layout& at) {
  const auto* v = static_cast<const Bf16*>(u.v);
  // Interleaves the low and the high halves of two rows of 32: columns 0..15 and 16..31.
  alignas(64) static constexpr std::uint16_t kLow[32] = {0,  32, 1,  33, 2,  34, 3,  35, 4,  36, 5,
                                                         37, 6,  38, 7,  39, 8,  40, 9,  41, 10, 42,
                                                         11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
  const __m512i low = _mm512_load_si512(kLow);
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  for (int j = 0; j < at.keys; j += kPairs) {
    for (int c = 0; c < at.columns; c += kPairs) {
      for (int i = 0; i < kPairs; i += 2) {
        const auto row = [&](int r) {
          return r < u.length
                     ? load_masked(v + static_cast<std::size_t>(r) * u.stride + c, u.head - c)
                     : _mm512_setzero_si512();
        };
        const __m512i a = row(j + i);
        const __m512i b = row(j + i + 1);
        _mm512_store_si512(out + i * kTile, _mm512_permutex2var_epi16(a, low, b));
        _mm512_store_si512(out + kTileValues + i * kTile, _mm512_permutex2var_epi16(a, high, b));
      }
      out += 2 * kTileValues;
    }
  }
}

// One or two row tiles of `a` times two column tiles, summed over `depth` tiles: c (16 or 32, 32)
// float32.
struct Product {
  const Bf16* a;
  int a_stride;    // bf16 values
  const Bf16* b0;  // first tile of each column
  const Bf16* b1;
  int b_step;  // bf16 values to the next depth
  int depth;
  float* c;
  int c_stride;  // floats
};

void multiply_one(const Product& p) {
  _tile_zero(0);
  _tile_zero(1);
  for (int i = 0; i < p.depth; ++i) {
    _tile_loadd(4, p.a + i * kPairs, p.a_stride * 2);
    _tile_loadd(6, p.b0 + static_cast<std::size_t>(i) * p.b_step, 64);
    _tile_loadd(7, p.b1 + static_cast<std::size_t>(i) * p.b_step, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  }
  _tile_stored(0, p.c, p.c_stride * 4);
  _tile_stored(1, p.c + kTile, p.c_stride * 4);
}

void multiply_two(const Product& p) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const Bf16* second = p.a + static_cast<std::size_t>(kTile) * p.a_stride;
  for (int i = 0; i < p.depth; ++i) {
    _tile_loadd(4, p.a + i * kPairs, p.a_stride * 2);
    _tile_loadd(6, p.b0 + static_cast<std::size_t>(i) * p.b_step, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, p.b1 + static_cast<std::size_t>(i) * p.b_step, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, second + i * kPairs, p.a_stride * 2);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  float* below = p.c + static_cast<std::size_t>(kTile) * p.c_stride;
  _tile_stored(0, p.c, p.c_stride * 4);
  _tile_stored(1, p.c + kTile, p.c_stride * 4);
  _tile_stored(2, below, p.c_stride * 4);
  _tile_stored(3, below + kTile, p.c_stride * 4);
}

void multiply_tiles(const Product& p, int rows) {
  if (rows > kTile) return multiply_two(p);
  multiply_one(p);
}

// Scores (float32) to softmax numerators in bf16, zero from `seen` to `padded`; returns their sum.
float weights_row(const float* scores, Bf16* weights, int seen, int padded, float scale) {
  using S = Avx512Bf16;
  __m512 largest = S::all(-__builtin_inff());
  for (int i = 0; i < seen; i += kTile) {
    const int n = seen - i;
    const __mmask16 mask = n >= kTile ? 0xFFFF : (1U << n) - 1;
    largest = _mm512_mask_max_ps(largest, mask, largest, _mm512_load_ps(scores + i));
  }
  const __m512 shift = S::all(-scale * S::largest(largest));
  __m512 sum = S::zero();
  for (int i = 0; i < padded; i += kTile) {
    const int n = seen - i;
    const __mmask16 mask = n >= kTile ? 0xFFFF : n <= 0 ? 0 : (1U << n) - 1;
    const __m512 e =
        _mm512_maskz_mov_ps(mask, exp<S>(S::fma(_mm512_load_ps(scores + i), S::all(scale), shift)));
    sum = S::add(sum, e);
    S::store(weights + i, e);
  }
  return S::sum(sum);
}

// The queries of a block, gathered where rows are missing or the head is not a whole number of
// tiles.
const Bf16* query_block(const AttentionUnit& u, int first, int rows, Bf16* copy, const Layout& at,
                        int* stride) {
  const Bf16* q = static_cast<const Bf16*>(u.q) + static_cast<std::size_t>(first) * u.stride;
  *stride = u.stride;
  if (rows % kTile == 0 && u.head == at.columns) return q;
  for (int r = 0; r < round_up(rows, kTile); ++r) {
    for (int c = 0; c < at.columns; c += kPairs) {
      const __m512i x =
          r < rows ? load_masked(q + static_cast<std::size_t>(r) * u.stride + c, u.head - c)
                   : _mm512_setzero_si512();
      _mm512_store_si512(copy + static_cast<std::size_t>(r) * at.columns + c, x);
    }
  }
  *stride = at.columns;
  return copy;
}

void store_block(const AttentionUnit& u, int first, int rows, const float* out, const float* sums,
                 int columns) {
  using S = Avx512Bf16;
  for (int r = 0; r < rows; ++r) {
    Bf16* to = static_cast<Bf16*>(u.out) + static_cast<std::size_t>(first + r) * u.out_stride;
    const __m512 inverse = S::all(1.0F / sums[r]);
    map_vectors<S>(out + static_cast<std::size_t>(r) * columns, to, u.head,
                   [&](__m512 x) { return S::mul(x, inverse); });
  }
}

void attention_amx(const AttentionUnit& u, float* scratch) {
  const Layout at(u.length, u.head);
  auto* base = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(scratch) + 63) &
                                            ~std::uintptr_t{63});
  auto* keys = reinterpret_cast<Bf16*>(base + at.k());
  auto* values = reinterpret_cast<Bf16*>(base + at.v());
  auto* scores = reinterpret_cast<float*>(base + at.scores());
  auto* weights = reinterpret_cast<Bf16*>(base + at.weights());
  auto* out = reinterpret_cast<float*>(base + at.out());
  const float scale = 1.0F / __builtin_sqrtf(static_cast<float>(u.head));
  const TileConfig config;
  _tile_loadconfig(&config);
  pack_keys(u, keys, at);
  pack_values(u, values, at);
  prefetch_next(u.q, u);
  prefetch_next(u.k, u);
  prefetch_next(u.v, u);
  const int depth = at.columns / kPairs;
  for (int first = 0; first < u.length; first += kPairs) {
    const int rows = u.length - first < kPairs ? u.length - first : kPairs;
    const int visible = round_up(u.causal ? first + rows : u.length, kPairs);
    int stride = 0;
    const Bf16* q =
        query_block(u, first, rows, reinterpret_cast<Bf16*>(base + at.q()), at, &stride);
    for (int j = 0; j < visible; j += kPairs) {
      const Bf16* tiles = keys + static_cast<std::size_t>(j) * at.columns;
      multiply_tiles({q, stride, tiles, tiles + static_cast<std::size_t>(depth) * kTileValues,
                      kTileValues, depth, scores + j, at.keys},
                     rows);
    }
    float sums[kPairs];
    for (int r = 0; r < rows; ++r) {
      const std::size_t row = static_cast<std::size_t>(r) * at.keys;
      sums[r] = weights_row(scores + row, weights + row, u.causal ? first + r + 1 : u.length,
                            visible, scale);
    }
    for (int c = 0; c < at.columns; c += kPairs) {
      const Bf16* tiles = values + static_cast<std::size_t>(c) * kPairs;
      multiply_tiles({weights, at.keys, tiles, tiles + kTileValues, at.columns * kPairs,
                      visible / kPairs, out + c, at.columns},
                     rows);
    }
    store_block(u, first, rows, out, sums, at.columns);
  }
  _tile_release();
}

// Room for either way of computing it: float32 attention of the same shape uses the AVX-512 layout.
std::size_t scratch_floats(int length, int head) {
  const std::size_t tiles = Layout(length, head).size() / sizeof(float) + 1;
  const std::size_t plain = attention_scratch<Avx512Bf16>(length, head);
  return tiles > plain ? tiles : plain;
}

constexpr Kernels make_amx_kernels() {
  Kernels k = make_kernels<Avx512Bf16>("amx");
  k.attention_scratch = scratch_floats;
  k.attention_bf16 = attention_amx;
  k.tile_product_scratch = tile_product_scratch;
  k.tile_product = tile_product;
  k.quantise_row = quantise_row<Avx512Bf16>;
  k.tile_product_int8 = tile_product_int8;
  return k;
}

}  // namespace

const Kernels& amx_kernels() {
  static constexpr Kernels kTable = make_amx_kernels();
  return kTable;
}

}  // namespace tandem
