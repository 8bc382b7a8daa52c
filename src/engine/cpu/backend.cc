#include "engine/cpu/backend.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>
#include <fmt/format.h>
#include <omp.h>
#include <optional>

#include "core/error.h"

namespace tandem {
namespace {

template <typename Int>
Int rounded(Int n, Int multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

}  // namespace

std::optional<TileProduct::Activation> tile_activation(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return TileProduct::Activation::kNone;
    case Activation::kGelu:
      return TileProduct::Activation::kGelu;
    case Activation::kQuickGelu:
      return TileProduct::Activation::kQuickGelu;
    case Activation::kGeluTanh:
      return TileProduct::Activation::kGeluTanh;
    case Activation::kRelu:
    case Activation::kSilu:
      return std::nullopt;
  }
  return std::nullopt;
}

CpuBackend::CpuBackend(PrimitiveCache& cache, const NormaliseTable& normalise,
                       const Kernels& kernels, Element type)
    : cache_(cache),
      normalise_(normalise),
      kernels_(kernels),
      type_(type),
      stream_(cache.engine()) {}

void CpuBackend::prepare(int threads, int row_multiple) {
  threads_ = threads;
  row_multiple_ = row_multiple;
}

// The (grid*grid, k*k*3) matrix of each picture's patches, then one product.
namespace {

// The patches side by side in one line of a picture.
struct PatchLine {
  const std::uint8_t* pixels = nullptr;
  std::size_t stride = 0;  // bytes from line to line of pixels
  int patches = 0;
  int row = 0;  // of the first
};

std::vector<PatchLine> patch_lines(const PixelBatch& pixels, int patch_px) {
  std::vector<PatchLine> lines;
  int row = 0;
  for (int i = 0; i < pixels.count; ++i) {
    const PictureSize size = pixels.size(i);
    const std::size_t stride = static_cast<std::size_t>(size.width) * 3;
    const std::uint8_t* line = pixels.picture(i).data();
    for (int y = 0; y + patch_px <= size.height; y += patch_px, line += stride * patch_px) {
      lines.push_back({line, stride, size.width / patch_px, row});
      row += lines.back().patches;
    }
  }
  return lines;
}

}  // namespace

CpuTensor CpuBackend::patch_embed(const PixelBatch& pixels, const Conv& conv) {
  const int k = conv.kernel;
  const int patch_row = k * 3;
  const std::vector<PatchLine> lines = patch_lines(pixels, k);
  const int rows = lines.empty() ? 0 : lines.back().row + lines.back().patches;
  Tensor patches = tensor(rows, k * k * 3, type_);
  split(lines.size(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const PatchLine& l = lines[i];
      for (int y = 0; y < k; ++y) {
        const std::uint8_t* line = l.pixels + y * l.stride;
        for (int x = 0; x < l.patches; ++x) {
          kernels_.center_pixels(line + static_cast<std::size_t>(x) * patch_row,
                                 patches.at(l.row + x, static_cast<std::size_t>(y) * patch_row),
                                 type_, patch_row);
        }
      }
    }
  });
  Tensor out = tensor(patches.rows, conv.out, Element::kF32);
  run_matmul(patches, conv.patches, out, false, Activation::kNone);
  return out;
}

CpuTensor CpuBackend::add_class_and_positions(const Tensor& patches, const Table& class_row,
                                              const Table& positions) {
  const int length = static_cast<int>(positions.rows);
  const int count = patches.rows / (length - 1);
  Tensor out = tensor(count * length, patches.columns, Element::kF32);
  split(out.rows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      const std::size_t picture = r / length;
      const std::size_t i = r % length;
      const float* x = i == 0 ? class_row.row(0) : patches.f32(picture * (length - 1) + i - 1);
      kernels_.add(x, positions.row(i), out.f32(r), out.columns);
    }
  });
  return out;
}

CpuTensor CpuBackend::embed_tokens(const TokenBatch& tokens, const Table& embedding,
                                   const Table& positions) {
  Tensor out =
      tensor(static_cast<int>(tokens.ids.size()), static_cast<int>(embedding.width), Element::kF32);
  for (int s = 0; s < tokens.count(); ++s) {
    for (std::int32_t r = tokens.offsets[s]; r < tokens.offsets[s + 1]; ++r) {
      kernels_.add(embedding.row(tokens.ids[r]), positions.row(r - tokens.offsets[s]), out.f32(r),
                   out.columns);
    }
  }
  return out;
}

CpuTensor CpuBackend::layer_norm(const Tensor& x, const Norm& norm) {
  if (x.type != Element::kF32) return layer_norm(to_type(x, Element::kF32), norm);
  if (norm.batch) return batch_norm(x, norm);
  if (norm.bias.empty()) return rms_norm(x, norm);
  if (norm.out == Element::kI8) return layer_norm_int8(x, norm);
  Tensor out = tensor(x.rows, x.columns, norm.out);
  split(x.rows, [&](std::size_t begin, std::size_t end) {
    kernels_.layer_norm(x.f32(begin), static_cast<int>(end - begin), x.columns, norm.gain.data(),
                        norm.bias.data(), norm.eps, out.at(begin), norm.out);
  });
  if (norm.observer != nullptr) observe(out, norm);
  return out;
}

CpuTensor CpuBackend::linear(const Tensor& x, const Linear& linear, Activation activation) {
  const Element type = linear.type == Element::kI8 ? type_ : linear.type;
  Tensor out = tensor(x.rows, linear.out, type);
  // bf16: oneDNN's own activation slows the product more than a pass over the result, still in
  // cache, costs.
  const bool apart = type == Element::kBf16 && !(linear.tiles && tile_activation(activation));
  run_matmul(x, linear, out, false, apart ? Activation::kNone : activation);
  if (apart) activate(out, activation);
  return out;
}

CpuTensor CpuBackend::linear_add(const Tensor& x, const Linear& linear, Tensor&& residual) {
  Tensor out =
      residual.type == Element::kF32 ? std::move(residual) : to_type(residual, Element::kF32);
  run_matmul(x, linear, out, true, Activation::kNone);
  return out;
}

CpuTensor CpuBackend::self_attention(const Tensor& qkv, const Segments& segments, int heads,
                                     Mask mask) {
  const int width = qkv.columns / 3;
  const int head = width / heads;
  Tensor out = tensor(qkv.rows, width, qkv.type);
  const std::size_t floats = kernels_.attention_scratch(segments.max_length, head);
  const auto attend = qkv.type == Element::kF32 ? kernels_.attention_f32 : kernels_.attention_bf16;
  const Buffer scratch = pool_.take(floats * sizeof(float) * threads_);
  std::atomic<int> next_scratch = 0;
  split(static_cast<std::size_t>(segments.count()) * heads,
        [&](std::size_t begin, std::size_t end) {
          float* own = static_cast<float*>(scratch.data()) + floats * next_scratch++;
          for (std::size_t i = begin; i < end; ++i) {
            const int row = segments.offsets[i / heads];
            const std::size_t column = i % heads * head;
            AttentionUnit unit;
            unit.q = qkv.at(row, column);
            unit.k = qkv.at(row, width + column);
            unit.v = qkv.at(row, 2 * width + column);
            unit.out = out.at(row, column);
            unit.stride = qkv.columns;
            unit.out_stride = width;
            unit.length = segments.offsets[i / heads + 1] - row;
            unit.head = head;
            unit.causal = mask == Mask::kCausal;
            attend(unit, own);
          }
        });
  return out;
}

CpuTensor CpuBackend::pool_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                     const Segments& segments, int heads) {
  const int head = q.columns / heads;
  Tensor out = tensor(q.rows, q.columns, q.type);
  const std::size_t floats = kernels_.attention_scratch(segments.max_length, head);
  const auto attend =
      q.type == Element::kF32 ? kernels_.pool_attention_f32 : kernels_.pool_attention_bf16;
  const Buffer scratch = pool_.take(floats * sizeof(float) * threads_);
  std::atomic<int> next_scratch = 0;
  split(static_cast<std::size_t>(segments.count()) * heads,
        [&](std::size_t begin, std::size_t end) {
          float* own = static_cast<float*>(scratch.data()) + floats * next_scratch++;
          for (std::size_t i = begin; i < end; ++i) {
            const std::size_t s = i / heads;
            const std::size_t column = i % heads * head;
            AttentionUnit unit;
            unit.q = q.at(s, column);
            unit.k = k.at(segments.offsets[s], column);
            unit.v = v.at(segments.offsets[s], column);
            unit.out = out.at(s, column);
            unit.stride = k.columns;
            unit.length = segments.offsets[s + 1] - segments.offsets[s];
            unit.head = head;
            attend(unit, own);
          }
        });
  return out;
}

CpuTensor CpuBackend::take_rows(const Tensor& x, std::span<const std::int32_t> rows) {
  Tensor out = tensor(static_cast<int>(rows.size()), x.columns, x.type);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::memcpy(out.at(i), x.at(rows[i]), x.pitch());
    if (x.type == Element::kI8) *out.scales(i) = *x.scales(rows[i]);
  }
  out.source = x.source;
  return out;
}

CpuTensor CpuBackend::mean_rows(const Tensor& x, const Segments& segments) {
  Tensor out = tensor(segments.count(), x.columns, Element::kF32);
  for (int s = 0; s < segments.count(); ++s) {
    float* sum = out.f32(s);
    std::fill_n(sum, x.columns, 0.0F);
    for (int r = segments.offsets[s]; r < segments.offsets[s + 1]; ++r) {
      kernels_.accumulate(x.at(r), x.type, sum, x.columns);
    }
    const float count = static_cast<float>(segments.offsets[s + 1] - segments.offsets[s]);
    for (int c = 0; c < x.columns; ++c) sum[c] /= count;
  }
  return out;
}

void CpuBackend::unit_rows(const Tensor& x, float* out) {
  const std::size_t columns = x.columns;
  for (int r = 0; r < x.rows; ++r) {
    float* to = out + r * columns;
    if (x.type == Element::kF32) {
      std::memcpy(to, x.f32(r), columns * sizeof(float));
    } else {
      kernels_.to_f32(x.bf16(r), to, columns);
    }
    kernels_.unit_row(to, columns);
  }
}

// Room for whole tiles of 32 rows. Spare rows that enter oneDNN's products are zeros: leftover
// denormal numbers would be slow there.
CpuTensor CpuBackend::tensor(int rows, int columns, Element type) {
  Tensor t{rows, columns, type, {}};
  const std::size_t scale_bytes = type == Element::kI8 ? sizeof(float) : 0;
  t.buffer = pool_.take((t.pitch() + scale_bytes) * rounded(rows, 32));
  const int read = rounded(rows, row_multiple_);
  if (read > rows) {
    std::memset(t.at(rows), 0, t.pitch() * (read - rows));
    if (type == Element::kI8) std::memset(t.scales(rows), 0, scale_bytes * (read - rows));
  }
  return t;
}

CpuTensor CpuBackend::to_type(const Tensor& x, Element type) {
  assert(x.type != type);
  if (x.type == Element::kI8) return from_int8(x, type);
  Tensor out = tensor(x.rows, x.columns, type);
  split(x.rows, [&](std::size_t begin, std::size_t end) {
    const std::size_t count = (end - begin) * x.columns;
    if (type == Element::kBf16) {
      kernels_.to_bf16(x.f32(begin), out.bf16(begin), count);
    } else {
      kernels_.to_f32(x.bf16(begin), out.f32(begin), count);
    }
  });
  return out;
}

void CpuBackend::run_matmul(const Tensor& x, const Linear& linear, const Tensor& out, bool add,
                            Activation activation) {
  if (linear.observer != nullptr) observe(x, linear);
  if (linear.type == Element::kI8) return run_int8(x, linear, out, add, activation);
  if (x.type != linear.type)
    return run_matmul(to_type(x, linear.type), linear, out, add, activation);
  assert(x.columns == linear.in);
  if (linear.tiles) return run_tiles(x, linear, out, add, activation);
  MatmulShape shape;
  shape.m = rounded(x.rows, row_multiple_);
  shape.k = linear.in;
  shape.n = linear.out;
  shape.type = linear.type;
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
  if (shape.bias)
    args[DNNL_ARG_BIAS] = dnnl::memory(p.bias, engine, const_cast<float*>(linear.bias.data()));
  execute(p, args);
}

void CpuBackend::run_tiles(const Tensor& x, const Linear& linear, const Tensor& out, bool add,
                           Activation activation) {
  TileProduct product;
  product.a = x.bf16();
  product.weights = linear.weights.as<Bf16>();
  product.bias = linear.bias.empty() ? nullptr : linear.bias.data();
  product.out = out.at(0);
  product.type = out.type;
  product.add = add;
  product.activation = tile_activation(activation).value();
  product.m = x.rows;
  product.k = linear.in;
  product.n = linear.out;
  const std::size_t scratch_bytes =
      rounded<std::size_t>(kernels_.tile_product_scratch(product), 64);
  const Buffer scratch = pool_.take(scratch_bytes * threads_);
  std::atomic<int> next_scratch = 0;
  split(linear.out / 32, [&](std::size_t begin, std::size_t end) {
    TileProduct part = product;
    part.scratch = static_cast<std::byte*>(scratch.data()) + scratch_bytes * next_scratch++;
    part.column_begin = static_cast<int>(begin) * 32;
    part.column_end = static_cast<int>(end) * 32;
    kernels_.tile_product(part);
  });
}

void CpuBackend::execute(const Primitive& p, std::unordered_map<int, dnnl::memory>& args) {
  const Buffer scratch = pool_.take(p.scratch_bytes);
  const dnnl::memory::desc desc({static_cast<dnnl::memory::dim>(p.scratch_bytes)},
                                dnnl::memory::data_type::u8, dnnl::memory::format_tag::a);
  if (p.scratch_bytes > 0)
    args[DNNL_ARG_SCRATCHPAD] = dnnl::memory(desc, cache_.engine(), scratch.data());
  p.primitive.execute(stream_, args);
  stream_.wait();
}

void CpuBackend::activate(const Tensor& x, Activation activation) {
  const auto run = [&]() -> void (*)(Bf16*, std::size_t) {
    switch (activation) {
      case Activation::kNone:
        return nullptr;
      case Activation::kGelu:
        return kernels_.gelu_bf16;
      case Activation::kQuickGelu:
        return kernels_.quick_gelu_bf16;
      case Activation::kRelu:
        return kernels_.relu_bf16;
      case Activation::kGeluTanh:
        return kernels_.gelu_tanh_bf16;
      case Activation::kSilu:
        return kernels_.silu_bf16;
    }
    return nullptr;
  }();
  if (run == nullptr) return;
  split(x.rows,
        [&](std::size_t begin, std::size_t end) { run(x.bf16(begin), (end - begin) * x.columns); });
}

}  // namespace tandem
