// Positions added to rows.
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

}  // namespace tandem
