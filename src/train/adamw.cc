#include "train/adamw.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/tensor.h"
#include "core/threads.h"

namespace tandem {
namespace {

constexpr std::size_t kChunk = 1 << 15;  // values: six arrays of 128 KB stay in the second cache

struct Chunk {
  const AdamWSlice* slice;
  std::size_t begin;
  std::size_t end;
};

std::vector<Chunk> chunks_of(std::span<const AdamWSlice> slices) {
  std::vector<Chunk> chunks;
  for (const AdamWSlice& s : slices) {
    for (std::size_t b = 0; b < s.count; b += kChunk) {
      chunks.push_back({&s, b, std::min(s.count, b + kChunk)});
    }
  }
  return chunks;
}

// The gradients of one chunk, summed in float32 in the order given.
const float* gradients(const Chunk& c, std::vector<float>& buffer) {
  const std::size_t n = c.end - c.begin;
  if (c.slice->grads.size() == 1 && c.slice->grads_bf16.empty()) {
    return c.slice->grads[0] + c.begin;
  }
  buffer.assign(n, 0.0F);
  float* __restrict sum = buffer.data();
  for (const float* grad : c.slice->grads) {
    for (std::size_t i = 0; i < n; ++i) sum[i] += grad[c.begin + i];
  }
  for (const std::uint16_t* grad : c.slice->grads_bf16) {
    for (std::size_t i = 0; i < n; ++i) sum[i] += bf16_to_float(grad[c.begin + i]);
  }
  return buffer.data();
}

// Round to nearest even; weights are finite, so NaN needs no care. Vectorises.
std::uint16_t round_bf16(float v) {
  const auto bits = __builtin_bit_cast(std::uint32_t, v);
  return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

void update_chunk(const Chunk& c, const AdamWStep& s) {
  thread_local std::vector<float> buffer;
  const float* __restrict g = gradients(c, buffer);
  float* __restrict p = c.slice->value + c.begin;
  float* __restrict m = c.slice->mean + c.begin;
  float* __restrict v = c.slice->variance + c.begin;
  const auto t = static_cast<double>(s.step);
  const double correction1 = 1 - std::pow(s.beta1, t);
  const double correction2 = std::sqrt(1 - std::pow(s.beta2, t));
  const auto keep = static_cast<float>(c.slice->decays ? 1 - s.lr * s.weight_decay : 1.0);
  const auto b1 = static_cast<float>(s.beta1);
  const auto b2 = static_cast<float>(s.beta2);
  const auto step_size = static_cast<float>(s.lr / correction1);
  const auto inverse2 = static_cast<float>(1 / correction2);
  const auto eps = static_cast<float>(s.eps);
  const auto scale = static_cast<float>(s.grad_scale);
  const std::size_t n = c.end - c.begin;
  for (std::size_t i = 0; i < n; ++i) {
    const float grad = g[i] * scale;
    m[i] += (grad - m[i]) * (1 - b1);
    v[i] = v[i] * b2 + grad * grad * (1 - b2);
    p[i] = p[i] * keep - step_size * m[i] / (std::sqrt(v[i]) * inverse2 + eps);
  }
  if (c.slice->average != nullptr) {
    float* __restrict a = c.slice->average + c.begin;
    const auto moves = static_cast<float>(1 - s.average_decay);
    for (std::size_t i = 0; i < n; ++i) a[i] += (p[i] - a[i]) * moves;
  }
  if (c.slice->value_bf16 != nullptr) {
    std::uint16_t* __restrict out = c.slice->value_bf16 + c.begin;
    for (std::size_t i = 0; i < n; ++i) out[i] = round_bf16(p[i]);
  }
}

}  // namespace

double grad_square_sum(std::span<const AdamWSlice> slices, std::size_t threads) {
  const std::vector<Chunk> chunks = chunks_of(slices);
  std::vector<double> sums(chunks.size());
  parallel_for(chunks.size(), threads, [&](std::size_t k) {
    thread_local std::vector<float> buffer;
    const float* g = gradients(chunks[k], buffer);
    double sum = 0;
    for (std::size_t i = 0; i < chunks[k].end - chunks[k].begin; i += 256) {
      const std::size_t end = std::min(i + 256, chunks[k].end - chunks[k].begin);
      float lanes[16] =
          {};  // 256 values in float lanes, then into the double: fast, and fixed order
      for (std::size_t j = i; j < end; ++j) lanes[j % 16] += g[j] * g[j];
      for (const float lane : lanes) sum += lane;
    }
    sums[k] = sum;
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

void adamw_step(std::span<const AdamWSlice> slices, const AdamWStep& step, std::size_t threads) {
  const std::vector<Chunk> chunks = chunks_of(slices);
  parallel_for(chunks.size(), threads, [&](std::size_t k) { update_chunk(chunks[k], step); });
}

}  // namespace tandem
