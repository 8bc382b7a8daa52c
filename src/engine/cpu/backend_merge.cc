// Token merging on the CPU backend.
#include <cstring>

#include "engine/cpu/backend.h"
#include "model/token_merge.h"

namespace tandem {
namespace {

// Keys of qkv (T,3D), averaged over the heads: (length, head) from row `first` on.
std::vector<float> mean_keys(const CpuTensor& qkv, const Kernels& kernels, int first, int length,
                             int heads) {
  const int width = qkv.columns / 3;
  const int head = width / heads;
  std::vector<float> keys(static_cast<std::size_t>(length) * head);
  for (int r = 0; r < length; ++r) {
    for (int h = 0; h < heads; ++h) {
      kernels.accumulate(qkv.at(first + r, width + static_cast<std::size_t>(h) * head), qkv.type,
                         keys.data() + static_cast<std::size_t>(r) * head, head);
    }
  }
  return keys;
}

}  // namespace

CpuTensor CpuBackend::merge_tokens(Tensor&& x, const Tensor& qkv, const Segments& segments,
                                   int heads, int count, std::vector<float>& sizes) {
  const int length = segments.max_length;
  const int left = length - count;
  const std::size_t width = x.columns;
  Tensor out = tensor(segments.count() * left, x.columns, Element::kF32);
  std::vector<float> new_sizes(out.rows);
  split(segments.count(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t s = begin; s < end; ++s) {
      const int first = segments.offsets[s];
      const MergePlan plan = plan_merge(mean_keys(qkv, kernels_, first, length, heads), length,
                                        qkv.columns / 3 / heads, count);
      // Sums weighted by size, in place at the destinations; rows that are no destination stay.
      std::vector<float> total(sizes.begin() + first, sizes.begin() + first + length);
      std::vector<bool> scaled(length);
      for (const auto& [from, to] : plan.merged) {
        float* sum = x.f32(first + to);
        const float* add = x.f32(first + from);
        if (!scaled[to])
          for (std::size_t c = 0; c < width; ++c) sum[c] *= sizes[first + to];
        scaled[to] = true;
        for (std::size_t c = 0; c < width; ++c) sum[c] += add[c] * sizes[first + from];
        total[to] += sizes[first + from];
      }
      for (std::size_t i = 0; i < plan.kept.size(); ++i) {
        const int row = plan.kept[i];
        float* to = out.f32(s * left + i);
        std::memcpy(to, x.f32(first + row), width * sizeof(float));
        if (scaled[row])
          for (std::size_t c = 0; c < width; ++c) to[c] /= total[row];
        new_sizes[s * left + i] = total[row];
      }
    }
  });
  sizes = std::move(new_sizes);
  return out;
}

}  // namespace tandem
