// The CPU backend's pictures: convolutions of ModifiedResNet on (B,H,W,C) maps.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "engine/cpu/backend.h"

namespace tandem {
namespace {

// Weights of `conv` in the layout a primitive wants, packed on first use.
const AlignedBytes& packed(const CpuConv& conv, const Primitive& p, const dnnl::engine& engine) {
  const std::lock_guard lock(conv.packed->mutex);
  for (const auto& [layout, bytes] : conv.packed->layouts) {
    if (layout == p.weights) return bytes;
  }
  using Tag = dnnl::memory::format_tag;
  const dnnl::memory::desc plain(p.weights.get_dims(), dnnl::memory::data_type::f32,
                                 conv.groups > 1 ? Tag::goihw : Tag::oihw);
  AlignedBytes bytes(p.weights.get_size());
  dnnl::memory from(plain, engine, const_cast<float*>(conv.weights.data()));
  dnnl::memory to(p.weights, engine, bytes.data());
  dnnl::stream stream(engine);
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  return conv.packed->layouts.emplace_back(p.weights, std::move(bytes)).second;
}

}  // namespace

CpuMap CpuBackend::pixel_map(const PixelBatch& pixels) {
  Map out = map(pixels.count, pixels.size_px, pixels.size_px, 3);
  const std::size_t line = static_cast<std::size_t>(pixels.size_px) * 3;
  split(static_cast<std::size_t>(pixels.count) * pixels.size_px, [&](std::size_t begin,
                                                                     std::size_t end) {
    std::vector<float> values(line);
    for (std::size_t i = begin; i < end; ++i) {
      const std::uint8_t* x = pixels.pixels.data() + i * line;
      for (std::size_t j = 0; j < line; ++j) values[j] = normalise_[j % 3][x[j]];
      if (type_ == Element::kF32) {
        std::memcpy(static_cast<float*>(out.buffer.data()) + i * line, values.data(),
                    line * sizeof(float));
      } else {
        kernels_.to_bf16(values.data(), static_cast<Bf16*>(out.buffer.data()) + i * line, line);
      }
    }
  });
  return out;
}

CpuMap CpuBackend::conv(const Map& x, const Conv& conv, Activation activation) {
  if (x.channels != conv.in)
    return this->conv(repeat_channels(x, conv.in / x.channels), conv, activation);
  const int size = (x.height + 2 * conv.padding - conv.kernel) / conv.stride + 1;
  const int across = (x.width + 2 * conv.padding - conv.kernel) / conv.stride + 1;
  Map out = map(x.batch, size, across, conv.out);
  // bf16: oneDNN's own GELU slows the convolution more than another pass costs.
  const bool apart = type_ == Element::kBf16 && activation != Activation::kRelu;
  run_conv(x, conv, out, false, apart ? Activation::kNone : activation);
  if (apart) activate(out, activation);
  return out;
}

CpuMap CpuBackend::conv_add_relu(const Map& x, const Conv& conv, const Map& residual) {
  Map out = map(residual.batch, residual.height, residual.width, residual.channels);
  const std::size_t row = static_cast<std::size_t>(out.width) * out.channels * element_bytes(type_);
  split(static_cast<std::size_t>(out.batch) * out.height, [&](std::size_t begin, std::size_t end) {
    std::memcpy(static_cast<std::byte*>(out.buffer.data()) + begin * row,
                static_cast<const std::byte*>(residual.buffer.data()) + begin * row,
                (end - begin) * row);
  });
  run_conv(x, conv, out, true, Activation::kRelu);
  return out;
}

CpuMap CpuBackend::avg_pool(const Map& x, int k) {
  Map out = map(x.batch, x.height / k, x.width / k, x.channels);
  const std::size_t row_in = static_cast<std::size_t>(x.width) * x.channels * element_bytes(type_);
  const std::size_t row_out =
      static_cast<std::size_t>(out.width) * x.channels * element_bytes(type_);
  split(static_cast<std::size_t>(out.batch) * out.height, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t from = i / out.height * x.height + i % out.height * k;
      kernels_.avg_pool_row(static_cast<const std::byte*>(x.buffer.data()) + from * row_in,
                            static_cast<std::byte*>(out.buffer.data()) + i * row_out, type_,
                            x.width, x.channels, k);
    }
  });
  return out;
}

CpuTensor CpuBackend::mean_and_positions(const Map& x, const Table& positions) {
  const int pixels = x.height * x.width;
  Tensor out = tensor(x.batch * (pixels + 1), x.channels, Element::kF32);
  const auto* data = static_cast<const std::byte*>(x.buffer.data());
  const std::size_t row = x.channels * element_bytes(type_);
  for (int b = 0; b < x.batch; ++b) {
    const std::size_t first = static_cast<std::size_t>(b) * (pixels + 1);
    float* mean = out.f32(first);
    std::fill_n(mean, x.channels, 0.0F);
    for (int i = 0; i < pixels; ++i) {
      const std::byte* pixel = data + (static_cast<std::size_t>(b) * pixels + i) * row;
      kernels_.accumulate(pixel, type_, mean, x.channels);
      float* to = out.f32(first + 1 + i);
      std::memcpy(to, positions.row(i + 1), x.channels * sizeof(float));
      kernels_.accumulate(pixel, type_, to, x.channels);
    }
    for (int c = 0; c < x.channels; ++c) mean[c] /= static_cast<float>(pixels);
    kernels_.add(mean, positions.row(0), mean, x.channels);
  }
  return out;
}

CpuMap CpuBackend::map(int batch, int height, int width, int channels) {
  const std::size_t count = static_cast<std::size_t>(batch) * height * width * channels;
  // Room for whole tiles of 32 rows, as tensors have.
  const std::size_t spare = static_cast<std::size_t>(channels) * 32;
  return {batch,    height, width,
          channels, type_,  pool_.take((count + spare) * element_bytes(type_))};
}

void CpuBackend::run_conv(const Map& x, const Conv& conv, const Map& out, bool add,
                          Activation activation) {
  ConvShape shape;
  shape.batch = x.batch;
  shape.height = x.height;
  shape.width = x.width;
  shape.in = conv.in;
  shape.out = conv.out;
  shape.kernel = conv.kernel;
  shape.stride = conv.stride;
  shape.padding = conv.padding;
  shape.type = type_;
  shape.add = add;
  shape.activation = activation;
  shape.groups = conv.groups;
  shape.threads = threads_;
  const Primitive& p = cache_.conv(shape);
  const auto& engine = cache_.engine();
  std::unordered_map<int, dnnl::memory> args{
      {DNNL_ARG_SRC, dnnl::memory(p.src, engine, x.buffer.data())},
      {DNNL_ARG_WEIGHTS, dnnl::memory(p.weights, engine, packed(conv, p, engine).data())},
      {DNNL_ARG_BIAS, dnnl::memory(p.bias, engine, const_cast<float*>(conv.bias.data()))},
      {DNNL_ARG_DST, dnnl::memory(p.dst, engine, out.buffer.data())}};
  execute(p, args);
}

}  // namespace tandem
