// Positions added to rows.
#include <cmath>

#include "engine/torch/backend.h"

namespace tandem {

at::Tensor TorchBackend::add_positions(Tensor&& x, const Table& positions,
                                       const Segments& segments) {
  // Rows in no segment, which embed_tokens may leave, stay without meaning.
  std::vector<std::int32_t> places(static_cast<std::size_t>(x.size(0)));
  for (int s = 0; s < segments.count(); ++s) {
    for (int r = segments.offsets[s]; r < segments.offsets[s + 1]; ++r) {
      places[r] = r - segments.offsets[s];
    }
  }
  return x.to(at::kFloat) + positions.index_select(0, indices(places));
}

at::Tensor TorchBackend::add_grid_positions(Tensor&& x, const Table& positions,
                                            std::span<const GridSize> grids) {
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(positions.size(0))));
  const at::Tensor grid = positions.view({1, side, side, -1}).permute({0, 3, 1, 2});
  std::vector<at::Tensor> rows;
  for (const GridSize& to : grids) {
    const at::Tensor own = at::_upsample_bilinear2d_aa(grid, {to.height, to.width}, false);
    rows.push_back(own.squeeze(0).flatten(1).t());
  }
  return x.to(at::kFloat) + at::cat(rows);
}

}  // namespace tandem
