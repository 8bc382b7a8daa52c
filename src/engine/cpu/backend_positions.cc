// Positions added to rows.
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

}  // namespace tandem
