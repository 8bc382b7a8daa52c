// Positions added to rows.
#include <cmath>

#include "engine/cpu/backend.h"

namespace tandem {

CpuTensor CpuBackend::add_positions(Tensor&& x, const Table& positions, const Segments& segments) {
  Tensor out = x.type == Element::kF32 ? std::move(x) : to_type(x, Element::kF32);
  split(segments.count(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t s = begin; s < end; ++s) {
      const int first = segments.offsets[s];
      const int rows = segments.offsets[s + 1] - first;
      kernels_.add(out.f32(first), positions.row(0), out.f32(first),
                   static_cast<std::size_t>(rows) * positions.width);
    }
  });
  return out;
}

CpuTensor CpuBackend::add_grid_positions(Tensor&& x, const Table& positions,
                                         std::span<const GridSize> grids) {
  Tensor out = x.type == Element::kF32 ? std::move(x) : to_type(x, Element::kF32);
  const int from = static_cast<int>(std::lround(std::sqrt(positions.rows)));
  const int width = static_cast<int>(positions.width);
  const Segments segments = Segments::of(grids);
  split(grids.size(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const std::vector<float> own = resize_grid(positions.row(0), from, grids[i], width);
      float* rows = out.f32(segments.offsets[i]);
      kernels_.add(rows, own.data(), rows, own.size());
    }
  });
  return out;
}

}  // namespace tandem
