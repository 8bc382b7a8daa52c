// The CPU backend's integer products: rows of activations quantised one scale a row, weights one
// scale a column, sums exact.
#include <algorithm>
#include <atomic>
#include <cassert>
#include <cmath>

#include "core/error.h"
#include "engine/cpu/backend.h"

namespace tandem {

// Each row of x as integers and its scale.
CpuTensor CpuBackend::quantised(const Tensor& x) {
  Tensor out = tensor(x.rows, x.columns, Element::kI8);
  split(x.rows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      *out.scales(r) =
          kernels_.quantise_row(x.at(r), x.type, x.columns, static_cast<int>(out.pitch()),
                                static_cast<std::int8_t*>(out.at(r)));
    }
  });
  return out;
}

// Only where a product of floats reads what a smoothed norm gave.
CpuTensor CpuBackend::from_int8(const Tensor& x, Element type) {
  Tensor out = tensor(x.rows, x.columns, Element::kF32);
  for (int r = 0; r < x.rows; ++r) {
    const auto* from = static_cast<const std::int8_t*>(x.at(r));
    const float scale = *x.scales(r);
    std::transform(from, from + x.columns, out.f32(r),
                   [scale](std::int8_t q) { return scale * static_cast<float>(q); });
  }
  return type == Element::kF32 ? std::move(out) : to_type(out, type);
}

// A row is normalised, measured and rounded while it is in the nearest cache.
CpuTensor CpuBackend::layer_norm_int8(const Tensor& x, const Norm& norm) {
  Tensor out = tensor(x.rows, x.columns, Element::kI8);
  const std::size_t floats = static_cast<std::size_t>(x.columns + 15) / 16 * 16;
  const Buffer scratch = pool_.take(floats * sizeof(float) * threads_);
  std::atomic<int> next_scratch = 0;
  split(x.rows, [&](std::size_t begin, std::size_t end) {
    float* row = static_cast<float*>(scratch.data()) + floats * next_scratch++;
    for (std::size_t r = begin; r < end; ++r) {
      kernels_.layer_norm(x.f32(r), 1, x.columns, norm.gain.data(), norm.bias.data(), norm.eps, row,
                          Element::kF32);
      *out.scales(r) =
          kernels_.quantise_row(row, Element::kF32, x.columns, static_cast<int>(out.pitch()),
                                static_cast<std::int8_t*>(out.at(r)));
    }
  });
  return out;
}

void CpuBackend::run_int8(const Tensor& x, const Linear& linear, const Tensor& out, bool add,
                          Activation activation) {
  if (x.type != Element::kI8) return run_int8(quantised(x), linear, out, add, activation);
  assert(x.columns == linear.in);
  if (linear.tiles) return run_tiles_int8(x, linear, out, add, activation);
  MatmulShape shape;
  shape.m = (x.rows + row_multiple_ - 1) / row_multiple_ * row_multiple_;
  shape.k = padded_depth(linear.in);
  shape.n = linear.out;
  shape.type = Element::kI8;
  shape.dst = out.type;
  shape.bias = !linear.bias.empty();
  shape.add = add;
  shape.activation = activation;
  shape.threads = threads_;
  const Primitive& p = cache_.matmul(shape);
  const auto& engine = cache_.engine();
  std::unordered_map<int, dnnl::memory> args{
      {DNNL_ARG_SRC, dnnl::memory(p.src, engine, x.at(0))},
      {DNNL_ARG_WEIGHTS, dnnl::memory(p.weights, engine, linear.weights.data())},
      {DNNL_ARG_DST, dnnl::memory(p.dst, engine, out.at(0))}};
  const float* operands[] = {x.scales(), linear.scales.data(), linear.bias.data()};
  for (std::size_t i = 0; i < p.post_operands.size(); ++i) {
    const auto& [argument, desc] = p.post_operands[i];
    args[argument] = dnnl::memory(desc, engine, const_cast<float*>(operands[i]));
  }
  execute(p, args);
}

void CpuBackend::run_tiles_int8(const Tensor& x, const Linear& linear, const Tensor& out, bool add,
                                Activation activation) {
  TileProductInt8 product;
  product.a = static_cast<const std::int8_t*>(x.at(0));
  product.row_scales = x.scales();
  product.weights = linear.weights.as<std::int8_t>();
  product.column_scales = linear.scales.data();
  product.bias = linear.bias.empty() ? nullptr : linear.bias.data();
  product.out = out.at(0);
  product.type = out.type;
  product.add = add;
  product.activation = tile_activation(activation).value();
  product.m = x.rows;
  product.k = padded_depth(linear.in);
  product.n = linear.out;
  split(linear.out / 32, [&](std::size_t begin, std::size_t end) {
    TileProductInt8 part = product;
    part.column_begin = static_cast<int>(begin) * 32;
    part.column_end = static_cast<int>(end) * 32;
    kernels_.tile_product_int8(part);
  });
}

void CpuBackend::observe(Tensor& out, const Norm& norm) {
  out.source = &norm;
  auto& peaks = norm.observer->norms[norm.name].peaks;
  peaks.resize(out.columns, 0.0F);
  for (int r = 0; r < out.rows; ++r) {
    const float* row = out.f32(r);
    for (int c = 0; c < out.columns; ++c) peaks[c] = std::max(peaks[c], std::abs(row[c]));
  }
}

void CpuBackend::observe(const Tensor& x, const Linear& linear) {
  Observations& all = *linear.observer;
  LinearObservation& own = all.linears.at(linear.name);
  if (x.rows > all.items) own.every_row = true;
  const std::string norm = x.source != nullptr ? x.source->name : std::string();
  own.mixed = own.mixed || (own.seen && own.norm != norm);
  own.seen = true;
  own.norm = norm;
  if (!norm.empty()) all.norms.at(norm).readers.insert(linear.name);
  const int have = static_cast<int>(own.inputs.size()) / x.columns;
  // Spread over the rows: a picture's first rows are its corner.
  const int take = std::min(all.samples - have, x.rows);
  for (int i = 0; i < take; ++i) {
    const float* row = x.f32(static_cast<std::size_t>(i) * x.rows / take);
    own.inputs.insert(own.inputs.end(), row, row + x.columns);
  }
}

}  // namespace tandem
