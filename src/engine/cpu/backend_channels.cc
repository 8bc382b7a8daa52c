// The CPU backend's maps as rows and back, and what works on whole channels of them.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "engine/cpu/backend.h"

namespace tandem {

CpuTensor CpuBackend::to_rows(Map&& x) {
  return {x.batch * x.height * x.width, x.channels, x.type, std::move(x.buffer)};
}

CpuMap CpuBackend::to_map(const Tensor& x, int height, int width) {
  Map out = map(x.rows / (height * width), height, width, x.columns);
  const auto count = static_cast<std::size_t>(x.columns);
  split(x.rows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      if (x.type == type_) {
        std::memcpy(static_cast<std::byte*>(out.buffer.data()) + r * count * element_bytes(type_),
                    x.at(r), count * element_bytes(type_));
      } else if (type_ == Element::kBf16) {
        kernels_.to_bf16(x.f32(r), static_cast<Bf16*>(out.buffer.data()) + r * count, count);
      } else {
        kernels_.to_f32(x.bf16(r), static_cast<float*>(out.buffer.data()) + r * count, count);
      }
    }
  });
  return out;
}

CpuTensor CpuBackend::mean_pixel(const Map& x) {
  Tensor out = tensor(x.batch, x.channels, Element::kF32);
  const int pixels = x.height * x.width;
  const auto* data = static_cast<const std::byte*>(x.buffer.data());
  const std::size_t row = x.channels * element_bytes(type_);
  for (int b = 0; b < x.batch; ++b) {
    float* mean = out.f32(b);
    std::fill_n(mean, x.channels, 0.0F);
    for (int i = 0; i < pixels; ++i)
      kernels_.accumulate(data + (static_cast<std::size_t>(b) * pixels + i) * row, type_, mean,
                          x.channels);
    for (int c = 0; c < x.channels; ++c) mean[c] /= static_cast<float>(pixels);
  }
  return out;
}

CpuMap CpuBackend::gate_channels(Map&& x, const Tensor& gates, Activation activation) {
  if (gates.type != Element::kF32)
    return gate_channels(std::move(x), to_type(gates, Element::kF32), activation);
  Map out = std::move(x);
  const int pixels = out.height * out.width;
  const std::size_t channels = out.channels;
  split(static_cast<std::size_t>(out.batch) * pixels, [&](std::size_t begin, std::size_t end) {
    std::vector<float> scale(channels);
    std::vector<float> line(channels);
    std::size_t picture = static_cast<std::size_t>(-1);
    for (std::size_t i = begin; i < end; ++i) {
      if (i / pixels != picture) {
        picture = i / pixels;
        for (std::size_t c = 0; c < channels; ++c)
          scale[c] = 1.0F / (1.0F + std::exp(-gates.f32(picture)[c]));
      }
      if (type_ == Element::kF32) {
        float* row = static_cast<float*>(out.buffer.data()) + i * channels;
        for (std::size_t c = 0; c < channels; ++c) row[c] *= scale[c];
        continue;
      }
      Bf16* row = static_cast<Bf16*>(out.buffer.data()) + i * channels;
      kernels_.to_f32(row, line.data(), channels);
      for (std::size_t c = 0; c < channels; ++c) line[c] *= scale[c];
      kernels_.to_bf16(line.data(), row, channels);
    }
  });
  activate(out, activation);
  return out;
}

void CpuBackend::activate(const Map& x, Activation activation) {
  if (activation == Activation::kNone) return;
  if (activation != Activation::kGelu)
    throw Error(Kind::kInternal, "a map's activation here is GELU.");
  const std::size_t count = static_cast<std::size_t>(x.batch) * x.height * x.width * x.channels;
  split(count, [&](std::size_t begin, std::size_t end) {
    if (type_ == Element::kBf16)
      return kernels_.gelu_bf16(static_cast<Bf16*>(x.buffer.data()) + begin, end - begin);
    float* values = static_cast<float*>(x.buffer.data());
    for (std::size_t i = begin; i < end; ++i)
      values[i] = 0.5F * values[i] * (1.0F + std::erf(values[i] * 0.70710678F));
  });
}

// Each channel `times` times in a row.
CpuMap CpuBackend::repeat_channels(const Map& x, int times) {
  Map out = map(x.batch, x.height, x.width, x.channels * times);
  const std::size_t count = static_cast<std::size_t>(x.batch) * x.height * x.width * x.channels;
  const auto copy = [&]<typename T>(const T* from, T* to) {
    split(count, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) std::fill_n(to + i * times, times, from[i]);
    });
  };
  if (type_ == Element::kF32) {
    copy(static_cast<const float*>(x.buffer.data()), static_cast<float*>(out.buffer.data()));
  } else {
    copy(static_cast<const Bf16*>(x.buffer.data()), static_cast<Bf16*>(out.buffer.data()));
  }
  return out;
}

CpuTensor CpuBackend::batch_norm(const Tensor& x, const Norm& norm) {
  Tensor out = tensor(x.rows, x.columns, norm.out);
  split(x.rows, [&](std::size_t begin, std::size_t end) {
    std::vector<float> line(x.columns);
    for (std::size_t r = begin; r < end; ++r) {
      float* to = norm.out == Element::kF32 ? out.f32(r) : line.data();
      for (int c = 0; c < x.columns; ++c) to[c] = x.f32(r)[c] * norm.gain[c] + norm.bias[c];
      if (norm.out == Element::kBf16) kernels_.to_bf16(to, out.bf16(r), x.columns);
    }
  });
  return out;
}

}  // namespace tandem
