// What T5 needs: RMS norm, and attention with a bias by distance. In float32 throughout.
#include <algorithm>
#include <atomic>
#include <cmath>

#include "engine/cpu/backend.h"

namespace tandem {
namespace {

// Eight sums side by side, so that the compiler can keep them in one register.
float dot(const float* a, const float* b, int n) {
  float sums[8] = {};
  int i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int j = 0; j < 8; ++j) sums[j] += a[i + j] * b[i + j];
  }
  float total = 0;
  for (const float s : sums) total += s;
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

void softmax(float* x, int n) {
  const float top = *std::max_element(x, x + n);
  float sum = 0;
  for (int i = 0; i < n; ++i) {
    x[i] = std::exp(x[i] - top);
    sum += x[i];
  }
  for (int i = 0; i < n; ++i) x[i] /= sum;
}

}  // namespace

CpuTensor CpuBackend::rms_norm(const Tensor& x, const Norm& norm) {
  Tensor out = tensor(x.rows, x.columns, Element::kF32);
  split(x.rows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      const float* from = x.f32(r);
      const float mean = dot(from, from, x.columns) / static_cast<float>(x.columns);
      const float factor = 1.0F / std::sqrt(mean + norm.eps);
      float* to = out.f32(r);
      for (int c = 0; c < x.columns; ++c) to[c] = norm.gain[c] * (from[c] * factor);
    }
  });
  if (norm.out == Element::kI8) return quantised(out);
  return norm.out == Element::kF32 ? std::move(out) : to_type(out, norm.out);
}

CpuTensor CpuBackend::biased_attention(const Tensor& qkv, const Segments& segments, int heads,
                                       float scale, const Table& bias,
                                       std::span<const std::int32_t> buckets) {
  if (qkv.type != Element::kF32)
    return biased_attention(to_type(qkv, Element::kF32), segments, heads, scale, bias, buckets);
  const int width = qkv.columns / 3;
  const int head = width / heads;
  const std::int32_t* middle = buckets.data() + buckets.size() / 2;  // of distance 0
  Tensor out = tensor(qkv.rows, width, Element::kF32);
  const std::size_t floats = (static_cast<std::size_t>(segments.max_length) + 15) / 16 * 16;
  const Buffer scratch = pool_.take(floats * sizeof(float) * threads_);
  std::atomic<int> next_scratch = 0;
  split(static_cast<std::size_t>(segments.count()) * heads,
        [&](std::size_t begin, std::size_t end) {
          float* scores = static_cast<float*>(scratch.data()) + floats * next_scratch++;
          for (std::size_t i = begin; i < end; ++i) {
            const int h = static_cast<int>(i % heads);
            const int first = segments.offsets[i / heads];
            const int length = segments.offsets[i / heads + 1] - first;
            for (int q = 0; q < length; ++q) {
              const float* query = qkv.f32(first + q) + h * head;
              for (int k = 0; k < length; ++k) {
                const float* key = qkv.f32(first + k) + width + h * head;
                scores[k] = scale * dot(query, key, head) + bias.row(middle[k - q])[h];
              }
              softmax(scores, length);
              float* to = out.f32(first + q) + h * head;
              std::fill_n(to, head, 0.0F);
              for (int k = 0; k < length; ++k) {
                const float* value = qkv.f32(first + k) + 2 * width + h * head;
                for (int c = 0; c < head; ++c) to[c] += scores[k] * value[c];
              }
            }
          }
        });
  return out;
}

}  // namespace tandem
