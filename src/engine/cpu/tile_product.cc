// Matrix products in bf16 on AMX tiles. Tiles ask for 64 bytes a cycle, about twice what a core's
// second-level cache gives: so a piece of a panel of weights (32 columns, up to 512 deep) stays in
// the first-level cache while blocks of rows, copied into the order they are read in, stream past
// it from the second. The next piece is fetched from memory meanwhile (a model's weights never fit
// a core's caches, and every layer brings its own), and bias, activation and residual are applied
// to a block while the tiles sum the one after it.
#include <algorithm>

#include "engine/cpu/kernels-inl.h"
#include "engine/cpu/tiles-inl.h"
#include "engine/cpu/vec_avx512_bf16.h"

namespace tandem {
namespace {

using Act = TileProduct::Activation;

constexpr int kBlock = 32;  // rows and columns of a result block: 2 x 2 tiles
constexpr int kBlockValues = kBlock * kBlock;
constexpr int kDepth = 256;           // of a piece: it, the rows and their sums fit 48 KB
constexpr int kDeep = 1536;           // beyond this, not `a` but the results stay cached
constexpr int kRowBytes = 1'250'000;  // of `a` in the second-level cache (2 MB)
constexpr int kResultRows = 544;      // rows and columns of results there: 1.1 MB
constexpr int kResultColumns = 512;

constexpr int kFewBlocks = 4;

int rounded(int n) { return (n + kBlock - 1) / kBlock * kBlock; }

// The size of the parts, all but the last equal, when n is cut into the fewest of at most `most`.
int equal_part(int n, int most) {
  const int parts = (n + most - 1) / most;
  return rounded((n + parts - 1) / parts);
}

// How a product is cut.
struct Plan {
  explicit Plan(const TileProduct& p)
      : deep(p.k > kDeep && p.m > kRowBytes / (2 * p.k)),
        rows(equal_part(p.m, deep ? kResultRows : kRowBytes / (2 * p.k) / kBlock * kBlock)),
        depth(equal_part(p.k, kDepth)),
        columns(deep ? kResultColumns : kBlock),
        a_values(static_cast<std::size_t>(rows) * (deep ? depth : p.k)),
        sum_values(static_cast<std::size_t>(rows) * columns) {}
  bool deep;
  int rows;
  int depth;
  int columns;
  std::size_t a_values;    // bf16
  std::size_t sum_values;  // float32, after them
};

// The part of the next piece that is asked for while a block is computed, spread over its steps:
// all at once, requests would wait for each other.
struct Prefetch {
  const char* at;
  int lines;  // of 64 bytes, each step
};

template <Act A>
__m512 activate(__m512 x) {
  if constexpr (A == Act::kGelu) return gelu<Avx512Bf16>(x);
  if constexpr (A == Act::kQuickGelu) return quick_gelu<Avx512Bf16>(x);
  if constexpr (A == Act::kGeluTanh) return gelu_tanh<Avx512Bf16>(x);
  return x;
}

// A summed block on its way to the result: bias, activation and residual, row by row.
struct Finish {
  const float* block = nullptr;  // 2 x 2 tiles, one after the other
  int row = 0;                   // of the product
  int rows = 0;
  int column = 0;
  int done = 0;

  void advance(const TileProduct& p, int count) {
    const int end = std::min(rows, done + count);
    for (; done < end; ++done) finish_row(p);
  }

 private:
  void finish_row(const TileProduct& p) const {
    const float* from = block + (done / kTile * 2 * kTile + done % kTile) * kTile;
    __m512 x = _mm512_load_ps(from);
    __m512 y = _mm512_load_ps(from + kTile * kTile);
    if (p.bias != nullptr) {
      x = _mm512_add_ps(x, _mm512_loadu_ps(p.bias + column));
      y = _mm512_add_ps(y, _mm512_loadu_ps(p.bias + column + kTile));
    }
    const std::size_t at = static_cast<std::size_t>(row + done) * p.n + column;
    if (p.type == Element::kF32) return store(static_cast<float*>(p.out) + at, x, y, p.add);
    switch (p.activation) {
      case Act::kNone:
        return store<Act::kNone>(static_cast<Bf16*>(p.out) + at, x, y);
      case Act::kGelu:
        return store<Act::kGelu>(static_cast<Bf16*>(p.out) + at, x, y);
      case Act::kQuickGelu:
        return store<Act::kQuickGelu>(static_cast<Bf16*>(p.out) + at, x, y);
      case Act::kGeluTanh:
        return store<Act::kGeluTanh>(static_cast<Bf16*>(p.out) + at, x, y);
    }
  }

  static void store(float* out, __m512 x, __m512 y, bool add) {
    if (add) {
      x = _mm512_add_ps(x, _mm512_loadu_ps(out));
      y = _mm512_add_ps(y, _mm512_loadu_ps(out + kTile));
    }
    _mm512_storeu_ps(out, x);
    _mm512_storeu_ps(out + kTile, y);
  }

  template <Act A>
  static void store(Bf16* out, __m512 x, __m512 y) {
    // Past the caches: waiting for lines that are overwritten whole would hold up the tiles.
    _mm512_stream_si512(reinterpret_cast<__m512i*>(out),
                        (__m512i)_mm512_cvtne2ps_pbh(activate<A>(y), activate<A>(x)));
  }
};

// One or two row tiles times the two column tiles of a piece, added to what `sums` holds unless
// this `begins` it.
struct Block {
  const Bf16* a;
  const Bf16* weights;
  float* sums;
  int steps;
  bool begins;
};

// Asks for the lines that a float32 result adds to, a few rows at a time.
struct PrefetchResult {
  const float* at = nullptr;
  int rows = 0;
  void advance(const TileProduct& p, int count) {
    for (; count > 0 && rows > 0; --count, --rows, at += p.n) {
      _mm_prefetch(reinterpret_cast<const char*>(at), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(at + kTile), _MM_HINT_T0);
    }
  }
};

template <bool kTwo>
void sum_block(const TileProduct& p, const Block& b, Prefetch next, PrefetchResult result,
               Finish& before) {
  if (b.begins) {
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (kTwo) _tile_zero(2);
    if constexpr (kTwo) _tile_zero(3);
  } else {
    _tile_loadd(0, b.sums, 64);
    _tile_loadd(1, b.sums + kTile * kTile, 64);
    if constexpr (kTwo) _tile_loadd(2, b.sums + 2 * kTile * kTile, 64);
    if constexpr (kTwo) _tile_loadd(3, b.sums + 3 * kTile * kTile, 64);
  }
  const Bf16* a = b.a;
  const Bf16* w = b.weights;
  const int result_rows = (result.rows + b.steps - 1) / b.steps;
  const int finish_rows = (before.rows - before.done + b.steps - 1) / b.steps;
  for (int i = 0; i < b.steps; ++i) {
    _tile_loadd(6, w, 64);
    _tile_loadd(4, a, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, w + kTileValues, 64);
    _tile_dpbf16ps(1, 4, 7);
    if constexpr (kTwo) {
      _tile_loadd(5, a + kTileValues, 64);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    a += 2 * kTileValues;
    w += 2 * kTileValues;
    for (int line = 0; line < next.lines; ++line, next.at += 64) _mm_prefetch(next.at, _MM_HINT_T1);
    result.advance(p, result_rows);
    before.advance(p, finish_rows);
  }
  _tile_stored(0, b.sums, 64);
  _tile_stored(1, b.sums + kTile * kTile, 64);
  if constexpr (kTwo) _tile_stored(2, b.sums + 2 * kTile * kTile, 64);
  if constexpr (kTwo) _tile_stored(3, b.sums + 3 * kTile * kTile, 64);
}

// Rows [row,row+rows) of `a`, depth [first,first+depth), as blocks of 32 rows, each as pairs of
// tiles down the depth.
void pack_rows(const TileProduct& p, int row, int rows, int first, int depth, Bf16* out) {
  for (int block = 0; block < rows; block += kBlock) {
    for (int r = 0; r < kBlock; ++r) {
      const Bf16* from = p.a + static_cast<std::size_t>(row + block + r) * p.k + first;
      Bf16* to = out + static_cast<std::size_t>(block) * depth + r * kPairs;
      for (int i = 0; i < depth; i += kPairs, to += 2 * kTileValues)
        _mm512_store_si512(to, _mm512_loadu_si512(from + i));
    }
  }
}

// A piece of a panel for all rows of a part.
struct Piece {
  const Bf16* a;  // packed
  const Bf16* weights;
  const Bf16* next;  // the piece after this one
  float* sums;       // of its panel
  int row;
  int rows;
  int column;
  int steps;
  bool begins;
  bool ends;
};

void run_piece(const TileProduct& p, const Piece& piece, Finish& before) {
  const int blocks = (piece.rows + kBlock - 1) / kBlock;
  const int lines = (kBlock + blocks - 1) / blocks;
  // Few rows pass a piece quickly: ask two pieces further ahead.
  const std::size_t ahead = blocks <= kFewBlocks ? 2 * kBlock * piece.steps * 64UL : 0;
  const char* next = reinterpret_cast<const char*>(piece.next) + ahead;
  for (int i = 0; i < blocks; ++i) {
    const int row = i * kBlock;
    const Finish after{.block = piece.sums + static_cast<std::size_t>(i) * kBlockValues,
                       .row = piece.row + row,
                       .rows = std::min(kBlock, piece.rows - row),
                       .column = piece.column};
    PrefetchResult result;
    if (piece.ends && p.add)
      result = {static_cast<const float*>(p.out) + static_cast<std::size_t>(after.row) * p.n +
                    after.column,
                after.rows};
    const Block block{piece.a + static_cast<std::size_t>(row) * piece.steps * kPairs, piece.weights,
                      piece.sums + static_cast<std::size_t>(i) * kBlockValues, piece.steps,
                      piece.begins};
    if (after.rows > kTile) {
      sum_block<true>(p, block, {next, lines}, result, before);
    } else {
      sum_block<false>(p, block, {next, lines}, result, before);
    }
    next += static_cast<std::size_t>(lines) * piece.steps * 64;
    if (piece.ends) before = after;
  }
}

// All columns of the rows [row,row+rows).
void run_rows(const TileProduct& p, const Plan& plan, int row, int rows) {
  auto* packed = static_cast<Bf16*>(p.scratch);
  auto* sums = reinterpret_cast<float*>(packed + plan.a_values);
  if (!plan.deep) {
    for (int first = 0; first < p.k; first += plan.depth) {
      const int depth = std::min(plan.depth, p.k - first);
      pack_rows(p, row, rows, first, depth,
                packed + static_cast<std::size_t>(rounded(rows)) * first);
    }
  }
  Finish before;
  for (int group = p.column_begin; group < p.column_end; group += plan.columns) {
    const int end = std::min(group + plan.columns, p.column_end);
    for (int first = 0; first < p.k; first += plan.depth) {
      const int depth = std::min(plan.depth, p.k - first);
      if (plan.deep) pack_rows(p, row, rows, first, depth, packed);
      for (int column = group; column < end; column += kBlock) {
        const auto at = [&](int c, int d) {
          return p.weights + static_cast<std::size_t>(c) * p.k +
                 static_cast<std::size_t>(d) * kBlock;
        };
        Piece piece;
        piece.a = packed + (plan.deep ? 0 : static_cast<std::size_t>(rounded(rows)) * first);
        piece.weights = at(column, first);
        piece.next = at(column, first) + static_cast<std::size_t>(plan.deep ? p.k : depth) * kBlock;
        const int panel = plan.deep ? (column - group) / kBlock : 0;
        piece.sums = sums + static_cast<std::size_t>(plan.rows) * kBlock * panel;
        piece.row = row;
        piece.rows = rows;
        piece.column = column;
        piece.steps = depth / kPairs;
        piece.begins = first == 0;
        piece.ends = first + depth == p.k;
        run_piece(p, piece, before);
      }
    }
  }
  before.advance(p, kBlock);
}

}  // namespace

std::size_t tile_product_scratch(const TileProduct& product) {
  const Plan plan(product);
  return plan.a_values * sizeof(Bf16) + plan.sum_values * sizeof(float);
}

void tile_product(const TileProduct& p) {
  const TileConfig config;
  _tile_loadconfig(&config);
  const Plan plan(p);
  for (int row = 0; row < p.m; row += plan.rows)
    run_rows(p, plan, row, std::min(plan.rows, p.m - row));
  _mm_sfence();  // other threads read what went past the caches
  _tile_release();
}

void pack_tiles(const float* weights, int in, int out, Bf16* packed) {
  for (int column = 0; column < out; column += kTile * 2) {
    for (int depth = 0; depth < in; depth += kPairs) {
      for (int half = 0; half < 2; ++half) {
        __m512 rows[kTile];  // of a column each, as 16 pairs
        for (int c = 0; c < kTile; ++c) {
          const float* from =
              weights + static_cast<std::size_t>(column + half * kTile + c) * in + depth;
          rows[c] =
              (__m512)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + kTile), _mm512_loadu_ps(from));
        }
        Avx512::transpose(rows);
        for (const __m512 pair : rows) {
          _mm512_storeu_ps(packed, pair);
          packed += kPairs;
        }
      }
    }
  }
}

}  // namespace tandem
