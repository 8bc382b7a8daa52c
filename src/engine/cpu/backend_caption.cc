// What texts that grow token by token need beside backend.cc.
#include <cassert>
#include <cstring>

#include "engine/cpu/backend.h"

namespace tandem {

CpuTensor CpuBackend::join_rows(const Tensor& x, const Tensor& y) {
  assert(x.columns == y.columns && x.type == y.type && x.type != Element::kI8);
  Tensor out = tensor(x.rows + y.rows, x.columns, x.type);
  std::memcpy(out.at(0), x.at(0), x.pitch() * x.rows);
  std::memcpy(out.at(x.rows), y.at(0), y.pitch() * y.rows);
  return out;
}

CpuTensor CpuBackend::scores(const Tensor& x, const Linear& linear) {
  Tensor out = tensor(x.rows, linear.out, Element::kF32);
  run_matmul(x, linear, out, false, Activation::kNone);
  return out;
}

}  // namespace tandem
