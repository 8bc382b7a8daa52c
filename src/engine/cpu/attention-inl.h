// Self-attention of one segment and head in float32 arithmetic over a vector type S (vec_*.h). A
// block of query rows at a time: its scores against all keys stay in the nearest cache, so nothing
// but q, k, v and the result touches memory.
#pragma once

#include "engine/cpu/kernels-inl.h"

namespace tandem {

static constexpr int round_up(int n, int multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

// Rows of queries handled together; a multiple of every S::kRows.
constexpr int kQueryRows = 12;

// Where the parts of `scratch` begin and how they are padded.
template <typename S>
struct AttentionLayout {
  AttentionLayout(int length, int head)
      : keys(round_up(length, S::kLanes * S::kVectors)),
        columns(round_up(head, S::kLanes * S::kVectors)) {}
  std::size_t q() const { return 0; }  // (kQueryRows, columns)
  std::size_t k() const {
    return q() + static_cast<std::size_t>(kQueryRows) * columns;
  }  // (head, keys): transposed
  std::size_t v() const {
    return k() + static_cast<std::size_t>(columns) * keys;
  }  // (keys, columns)
  std::size_t scores() const {
    return v() + static_cast<std::size_t>(keys) * columns;
  }  // (kQueryRows, keys)
  std::size_t out() const {
    return scores() + static_cast<std::size_t>(kQueryRows) * keys;
  }  // (kQueryRows, columns)
  std::size_t size() const { return out() + static_cast<std::size_t>(kQueryRows) * columns; }
  int keys;
  int columns;
};

template <typename S>
std::size_t attention_scratch(int length, int head) {
  return AttentionLayout<S>(length, head).size();
}

// c (R, V vectors) = a (R,depth) * b (depth, V vectors).
template <typename S, int R, int V>
void multiply_block(const float* a, int a_stride, const float* b, int b_stride, int depth, float* c,
                    int c_stride) {
  typename S::F sum[R][V];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) sum[r][v] = S::zero();
  }
  for (int i = 0; i < depth; ++i) {
    typename S::F row[V];
    for (int v = 0; v < V; ++v)
      row[v] = S::load(b + static_cast<std::size_t>(i) * b_stride + v * S::kLanes);
    for (int r = 0; r < R; ++r) {
      const auto x = S::all(a[static_cast<std::size_t>(r) * a_stride + i]);
      for (int v = 0; v < V; ++v) sum[r][v] = S::fma(x, row[v], sum[r][v]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v)
      S::store(c + static_cast<std::size_t>(r) * c_stride + v * S::kLanes, sum[r][v]);
  }
}

// c (rows, columns) = a (rows,depth) * b (depth, columns); rows rounded up to S::kRows, columns to
// whole vectors.
template <typename S>
void multiply(const float* a, int a_stride, const float* b, int b_stride, int depth, float* c,
              int c_stride, int rows, int columns) {
  constexpr int kWide = S::kLanes * S::kVectors;
  for (int j = 0; j < columns;) {
    const bool wide = columns - j > kWide / 2;
    for (int r = 0; r < rows; r += S::kRows) {
      const float* from = a + static_cast<std::size_t>(r) * a_stride;
      float* to = c + static_cast<std::size_t>(r) * c_stride + j;
      if (wide) {
        multiply_block<S, S::kRows, S::kVectors>(from, a_stride, b + j, b_stride, depth, to,
                                                 c_stride);
      } else {
        multiply_block<S, S::kRows, 1>(from, a_stride, b + j, b_stride, depth, to, c_stride);
      }
    }
    j += wide ? kWide : S::kLanes;
  }
}

// Copies rows of T as float32 into `out`, each padded with zeros to `columns`.
template <typename S, typename T>
void copy_rows(const T* x, int stride, int rows, int head, float* out, int columns) {
  for (int r = 0; r < rows; ++r) {
    float* to = out + static_cast<std::size_t>(r) * columns;
    map_vectors<S>(x + static_cast<std::size_t>(r) * stride, to, head,
                   [](typename S::F v) { return v; });
    for (int c = head; c < columns; ++c) to[c] = 0;
  }
}

// Transposes the keys into `out` (head, keys), with zeros for the keys that pad.
template <typename S, typename T>
void transpose_keys(const T* k, int stride, int length, int head, float* out, int keys) {
  for (int j = 0; j < keys; j += S::kLanes) {
    for (int c = 0; c < head; c += S::kLanes) {
      typename S::F block[S::kLanes];
      for (int i = 0; i < S::kLanes; ++i) {
        if (j + i >= length) {
          block[i] = S::zero();
          continue;
        }
        const T* at = k + static_cast<std::size_t>(j + i) * stride + c;
        T tail[S::kLanes] = {};
        const bool whole = head - c >= S::kLanes;
        if (!whole) std::memcpy(tail, at, (head - c) * sizeof(T));
        block[i] = S::load(whole ? at : tail);
      }
      S::transpose(block);
      for (int i = 0; i < S::kLanes && c + i < head; ++i)
        S::store(out + static_cast<std::size_t>(c + i) * keys + j, block[i]);
    }
  }
}

// Turns the first `length` scores into e^(scale (s - max)), the others up to `padded` into 0;
// returns their sum. Requires: scores is readable up to a whole vector beyond `length`.
template <typename S>
float soft_max(float* scores, int length, int padded, float scale) {
  constexpr float kLowest = -__builtin_inff();
  const int whole = length / S::kLanes * S::kLanes;
  const int end = round_up(length, S::kLanes);
  for (int i = length; i < end; ++i) scores[i] = kLowest;
  auto largest = S::all(kLowest);
  for (int i = 0; i < end; i += S::kLanes) largest = S::max(largest, S::load(scores + i));
  const auto max = S::all(S::largest(largest));
  auto sum = S::zero();
  for (int i = 0; i < whole; i += S::kLanes) {
    const auto e = exp<S>(S::mul(S::sub(S::load(scores + i), max), S::all(scale)));
    sum = S::add(sum, e);
    S::store(scores + i, e);
  }
  float total = S::sum(sum);
  if (whole < end) {
    S::store(scores + whole, exp<S>(S::mul(S::sub(S::load(scores + whole), max), S::all(scale))));
    for (int i = whole; i < length; ++i) total += scores[i];
  }
  for (int i = length; i < padded; ++i) scores[i] = 0;
  return total;
}

template <typename S, typename T>
void attention(const AttentionUnit& u, float* scratch) {
  const AttentionLayout<S> at(u.length, u.head);
  const T* q = static_cast<const T*>(u.q);
  T* out = static_cast<T*>(u.out);
  const float scale = 1.0F / __builtin_sqrtf(static_cast<float>(u.head));
  transpose_keys<S>(static_cast<const T*>(u.k), u.stride, u.length, u.head, scratch + at.k(),
                    at.keys);
  copy_rows<S>(static_cast<const T*>(u.v), u.stride, u.length, u.head, scratch + at.v(),
               at.columns);
  std::memset(scratch + at.q(), 0, sizeof(float) * kQueryRows * at.columns);
  for (int first = 0; first < u.length; first += kQueryRows) {
    const int rows = u.length - first < kQueryRows ? u.length - first : kQueryRows;
    const int visible = u.causal ? first + rows : u.length;  // keys that any of these queries sees
    copy_rows<S>(q + static_cast<std::size_t>(first) * u.stride, u.stride, rows, u.head,
                 scratch + at.q(), at.columns);
    float* scores = scratch + at.scores();
    multiply<S>(scratch + at.q(), at.columns, scratch + at.k(), at.keys, u.head, scores, at.keys,
                rows, visible);
    float sums[kQueryRows];
    for (int r = 0; r < rows; ++r) {
      const int seen = u.causal ? first + r + 1 : u.length;
      sums[r] = soft_max<S>(scores + static_cast<std::size_t>(r) * at.keys, seen, visible, scale);
    }
    multiply<S>(scores, at.keys, scratch + at.v(), at.columns, visible, scratch + at.out(),
                at.columns, rows, u.head);
    for (int r = 0; r < rows; ++r) {
      const auto inverse = S::all(1.0F / sums[r]);
      map_vectors<S>(scratch + at.out() + static_cast<std::size_t>(r) * at.columns,
                     out + static_cast<std::size_t>(first + r) * u.out_stride, u.head,
                     [&](typename S::F x) { return S::mul(x, inverse); });
    }
  }
}

// scores[j] = q . k[j]
template <typename S, typename T>
float dot(const float* q, const T* k, int head) {
  auto sum = S::zero();
  int c = 0;
  for (; c + S::kLanes <= head; c += S::kLanes) sum = S::fma(S::load(q + c), S::load(k + c), sum);
  float total = S::sum(sum);
  if (c == head) return total;
  T tail[S::kLanes] = {};
  float values[S::kLanes];
  std::memcpy(tail, k + c, (head - c) * sizeof(T));
  S::store(values, S::load(tail));
  for (int i = c; i < head; ++i) total += q[i] * values[i - c];
  return total;
}

template <typename S, typename T>
void pool_attention(const AttentionUnit& u, float* scratch) {
  const AttentionLayout<S> at(u.length, u.head);
  float* q = scratch + at.q();
  float* scores = scratch + at.scores();
  float* sum = scratch + at.out();
  copy_rows<S>(static_cast<const T*>(u.q), 0, 1, u.head, q, at.columns);
  const T* k = static_cast<const T*>(u.k);
  for (int j = 0; j < u.length; ++j)
    scores[j] = dot<S>(q, k + static_cast<std::size_t>(j) * u.stride, u.head);
  const float total =
      soft_max<S>(scores, u.length, u.length, 1.0F / __builtin_sqrtf(static_cast<float>(u.head)));
  const T* v = static_cast<const T*>(u.v);
  for (int c = 0; c < u.head; c += S::kLanes) {
    auto acc = S::zero();
    const int n = u.head - c;
    for (int j = 0; j < u.length; ++j) {
      const T* row = v + static_cast<std::size_t>(j) * u.stride + c;
      T tail[S::kLanes] = {};
      if (n < S::kLanes) std::memcpy(tail, row, n * sizeof(T));
      acc = S::fma(S::all(scores[j]), S::load(n < S::kLanes ? tail : row), acc);
    }
    S::store(sum + c, S::mul(acc, S::all(1.0F / total)));
  }
  map_vectors<S>(sum, static_cast<T*>(u.out), u.head, [](typename S::F x) { return x; });
}

// The whole table for one vector type.
template <typename S>
constexpr Kernels make_kernels(const char* name) {
  Kernels k{};
  k.name = name;
  k.layer_norm = layer_norm<S>;
  k.gelu_bf16 = gelu_bf16<S>;
  k.gelu_tanh_bf16 = gelu_tanh_bf16<S>;
  k.quick_gelu_bf16 = quick_gelu_bf16<S>;
  k.silu_bf16 = silu_bf16<S>;
  k.relu_bf16 = relu_bf16<S>;
  k.to_bf16 = to_bf16<S>;
  k.to_f32 = to_f32<S>;
  k.add = add<S>;
  k.accumulate = accumulate<S>;
  k.center_pixels = center_pixels<S>;
  k.avg_pool_row = avg_pool_row<S>;
  k.unit_row = unit_row<S>;
  k.attention_scratch = attention_scratch<S>;
  k.attention_f32 = attention<S, float>;
  k.attention_bf16 = attention<S, Bf16>;
  k.pool_attention_f32 = pool_attention<S, float>;
  k.pool_attention_bf16 = pool_attention<S, Bf16>;
  return k;
}

}  // namespace tandem
