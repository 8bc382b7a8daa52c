// Self-attention of one segment and head on AMX tiles (16 rows of 64 bytes): bf16 products, float32
// sums and softmax. A block of 32 queries at a time against all keys; scores and weights stay in
// the nearest caches. The tile unit and the vector units work at the same time only if their
// instructions alternate closely: while one block's softmax is computed, the products of its
// neighbours (scores of the next block, weights times values of the last) are, a few tiles a row.
#include <utility>

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
  // Two of each: those of a block and of its neighbour.
  std::size_t scores(int which) const {
    return v() + std::size_t{2} * keys * columns + std::size_t{4} * kPairs * keys * which;
  }  // (32, keys) float
  std::size_t weights(int which) const {
    return scores(2) + std::size_t{2} * kPairs * keys * which;
  }  // (32, keys) bf16
  std::size_t out() const { return weights(2); }  // (32, columns) float
  std::size_t size() const { return out() + std::size_t{4} * kPairs * columns + 64; }
  int keys;
  int columns;
};

// 2^f on [0,1].
constexpr float kExp2[4] = {0.99992519F, 0.69583363F, 0.22606727F, 0.07802427F};

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

// Step i of p's depth; its sums are in tiles 0 to 3 until the last one.
void multiply_step(const Product& p, int i, bool two) {
  if (i == 0) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  _tile_loadd(4, p.a + i * kPairs, p.a_stride * 2);
  _tile_loadd(6, p.b0 + static_cast<std::size_t>(i) * p.b_step, 64);
  _tile_dpbf16ps(0, 4, 6);
  _tile_loadd(7, p.b1 + static_cast<std::size_t>(i) * p.b_step, 64);
  _tile_dpbf16ps(1, 4, 7);
  if (two) {
    _tile_loadd(5, p.a + static_cast<std::size_t>(kTile) * p.a_stride + i * kPairs, p.a_stride * 2);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  if (i + 1 < p.depth) return;
  _tile_stored(0, p.c, p.c_stride * 4);
  _tile_stored(1, p.c + kTile, p.c_stride * 4);
  if (!two) return;
  float* below = p.c + static_cast<std::size_t>(kTile) * p.c_stride;
  _tile_stored(2, below, p.c_stride * 4);
  _tile_stored(3, below + kTile, p.c_stride * 4);
}

// 2^y, relative error below 8e-5 (the least maximum of degree 3), a twentieth of bf16's rounding;
// 2^-126, the last before denormal numbers, for anything less.
__m512 exp2_bf16(__m512 y) {
  using S = Avx512Bf16;
  y = S::max(S::all(-126.0F), y);
  const __m512 f = _mm512_reduce_ps(y, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);  // y - floor(y)
  __m512 p = S::fma(f, S::all(kExp2[3]), S::all(kExp2[2]));
  p = S::fma(p, f, S::all(kExp2[1]));
  p = S::fma(p, f, S::all(kExp2[0]));
  return S::scale(p, y);  // by 2^floor(y)
}

// Scores (float32) to softmax numerators in bf16, zero from `seen` to `padded`; returns their sum.
// `scale`: of the scores, with 1 / ln 2 in it.
float weights_row(const float* scores, Bf16* weights, int seen, int padded, float scale) {
  using S = Avx512Bf16;
  const int whole = seen / kTile * kTile;
  const __mmask16 rest = (1U << (seen - whole)) - 1;
  const __m512 lowest = S::all(-__builtin_inff());
  __m512 largest = lowest;
  for (int i = 0; i < whole; i += kTile) largest = S::max(largest, _mm512_load_ps(scores + i));
  if (whole < seen) largest = S::max(largest, _mm512_mask_load_ps(lowest, rest, scores + whole));
  const __m512 by = S::all(scale);
  const __m512 shift = S::all(-scale * S::largest(largest));
  __m512 sum = S::zero();
  int i = 0;
  for (; i < whole; i += kTile) {
    const __m512 e = exp2_bf16(S::fma(_mm512_load_ps(scores + i), by, shift));
    sum = S::add(sum, e);
    S::store(weights + i, e);
  }
  if (whole < seen) {
    const __m512 e =
        _mm512_maskz_mov_ps(rest, exp2_bf16(S::fma(_mm512_load_ps(scores + whole), by, shift)));
    sum = S::add(sum, e);
    S::store(weights + whole, e);
    i += kTile;
  }
  for (; i < padded; i += kTile) S::store(weights + i, S::zero());
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

// Queries that are handled together, and where their scores and weights are.
struct Block {
  int first = 0;
  int rows = 0;     // 0: there is none
  int visible = 0;  // keys that any of the queries sees, rounded up to whole pairs of tiles
  float* scores = nullptr;
  Bf16* weights = nullptr;
  float sums[kPairs] = {};  // of the weights of each row
};

class Attention {
 public:
  Attention(const AttentionUnit& u, std::byte* base)
      : u_(u),
        at_(u.length, u.head),
        depth_(at_.columns / kPairs),
        scale_(1.4426950408889634F / __builtin_sqrtf(static_cast<float>(u.head))),
        queries_(reinterpret_cast<Bf16*>(base + at_.q())),
        keys_(reinterpret_cast<Bf16*>(base + at_.k())),
        values_(reinterpret_cast<Bf16*>(base + at_.v())),
        out_(reinterpret_cast<float*>(base + at_.out())) {
    for (int i = 0; i < 2; ++i) {
      blocks_[i].scores = reinterpret_cast<float*>(base + at_.scores(i));
      blocks_[i].weights = reinterpret_cast<Bf16*>(base + at_.weights(i));
    }
    pack_keys(u, keys_, at_);
    pack_values(u, values_, at_);
    prefetch_next(u.q, u);
    prefetch_next(u.k, u);
    prefetch_next(u.v, u);
  }

  void run() {
    Block* current = &blocks_[0];
    Block* other = &blocks_[1];  // the last one, then the next
    begin(*current, 0);
    all(scores_of(*current));
    while (current->rows > 0) {
      const Block last = *other;
      begin(*other, current->first + kPairs);
      soften(*current, values_of(last), scores_of(*other));
      store(last);
      std::swap(current, other);
    }
    all(values_of(*other));
    store(*other);
  }

 private:
  // Products of one kind, each of `depth` steps.
  struct Work {
    Product first;
    int products = 0;
    std::size_t b_next = 0;  // bf16 values from a product's second factor to the next one's
    bool two = false;        // row tiles
    int steps() const { return products * first.depth; }
    void step(int i) const {
      const int product = i / first.depth;
      Product p = first;
      p.b0 += b_next * product;
      p.b1 += b_next * product;
      p.c += static_cast<std::size_t>(kPairs) * product;
      multiply_step(p, i % first.depth, two);
    }
  };

  void begin(Block& block, int first) const {
    const int left = u_.length - first;
    block.first = first;
    block.rows = left < 0 ? 0 : left < kPairs ? left : kPairs;
    block.visible = round_up(u_.causal ? first + block.rows : u_.length, kPairs);
  }

  Work scores_of(const Block& block) const {
    if (block.rows == 0) return {};
    int stride = 0;
    const Bf16* q = query_block(u_, block.first, block.rows, queries_, at_, &stride);
    const Bf16* second = keys_ + static_cast<std::size_t>(depth_) * kTileValues;
    return {{q, stride, keys_, second, kTileValues, depth_, block.scores, at_.keys},
            block.visible / kPairs,
            std::size_t{2} * depth_ * kTileValues,
            block.rows > kTile};
  }

  Work values_of(const Block& block) const {
    if (block.rows == 0) return {};
    return {{block.weights, at_.keys, values_, values_ + kTileValues, at_.columns * kPairs,
             block.visible / kPairs, out_, at_.columns},
            depth_,
            std::size_t{2} * kTileValues,
            block.rows > kTile};
  }

  static void all(const Work& work) {
    for (int i = 0; i < work.steps(); ++i) work.step(i);
  }

  // The block's weights from its scores; meanwhile `before`, then `after`, spread over the rows.
  void soften(Block& block, const Work& before, const Work& after) const {
    const int steps = before.steps() + after.steps();
    int done = 0;
    for (int r = 0; r < block.rows; ++r) {
      const std::size_t row = static_cast<std::size_t>(r) * at_.keys;
      const int seen = u_.causal ? block.first + r + 1 : u_.length;
      for (const int due = steps * (r + 1) / block.rows; done < due; ++done) {
        const bool early = done < before.steps();
        (early ? before : after).step(early ? done : done - before.steps());
      }
      block.sums[r] =
          weights_row(block.scores + row, block.weights + row, seen, block.visible, scale_);
    }
  }

  void store(const Block& block) const {
    store_block(u_, block.first, block.rows, out_, block.sums, at_.columns);
  }

  const AttentionUnit& u_;
  const Layout at_;
  const int depth_;  // of the scores' products
  const float scale_;
  Bf16* queries_;
  Bf16* keys_;
  Bf16* values_;
  float* out_;
  Block blocks_[2];
};

void attention_amx(const AttentionUnit& u, float* scratch) {
  auto* base = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(scratch) + 63) &
                                            ~std::uintptr_t{63});
  const TileConfig config;
  _tile_loadconfig(&config);
  Attention(u, base).run();
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
