// The CPU backend's gated activations and rotary positions.
#include "core/error.h"
#include "engine/cpu/backend.h"
#include "engine/cpu/instruction_set.h"
#include "engine/cpu/row_kernels.h"

namespace tandem {
namespace {

RowKernels::Gate gate_of(Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return RowKernels::Gate::kSilu;
    case Activation::kGelu:
      return RowKernels::Gate::kGelu;
    case Activation::kGeluTanh:
      return RowKernels::Gate::kGeluTanh;
    default:
      throw Error(Kind::kInternal, "gated: expected SiLU or GELU.");
  }
}

}  // namespace

const RowKernels& best_row_kernels() {
  if (&best_kernels() == &avx2_kernels()) return avx2_row_kernels();
  if (&best_kernels() == &avx512_kernels()) return avx512_row_kernels();
  return avx512_bf16_row_kernels();
}

CpuTensor CpuBackend::gated(const Tensor& x, Activation activation) {
  const RowKernels& kernels = best_row_kernels();
  const RowKernels::Gate gate = gate_of(activation);
  Tensor out = tensor(x.rows, x.columns / 2, x.type);
  split(x.rows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      kernels.gated(x.at(r), out.at(r), x.type, gate, out.columns);
  });
  return out;
}

CpuTensor CpuBackend::rotary(Tensor&& qkv, const Table& angles, const Segments& segments, int heads,
                             int skip) {
  const RowKernels& kernels = best_row_kernels();
  Tensor out = std::move(qkv);
  const int head = out.columns / 3 / heads;
  split(segments.count(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t s = begin; s < end; ++s) {
      const int first = segments.offsets[s] + skip;
      for (int r = first; r < segments.offsets[s + 1]; ++r) {
        const float* cos = angles.row(r - first);
        for (int h = 0; h < 2 * heads; ++h)  // q's heads, then k's
          kernels.rotate(out.at(r, static_cast<std::size_t>(h) * head), out.type, cos, cos + head,
                         head);
      }
    }
  });
  return out;
}

CpuTensor CpuBackend::add(Tensor&& residual, const Tensor& x) {
  Tensor out =
      residual.type == Element::kF32 ? std::move(residual) : to_type(residual, Element::kF32);
  if (x.type != Element::kF32) return add(std::move(out), to_type(x, Element::kF32));
  split(out.rows, [&](std::size_t begin, std::size_t end) {
    kernels_.add(out.f32(begin), x.f32(begin), out.f32(begin), (end - begin) * out.columns);
  });
  return out;
}

}  // namespace tandem
