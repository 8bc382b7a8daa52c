// Dtypes and borrowed views of tensors that live elsewhere (a mapped file, a vector). No arithmetic
// here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

enum class DType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

std::size_t dtype_bytes(DType dtype);
std::string_view dtype_name(DType dtype);  // safetensors' names: "F32", "BF16", …

// A contiguous, row-major tensor owned by someone else. Bytes may be unaligned: read with memcpy or
// to_float().
struct TensorView {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
  // The mapped file they were read from, if any: while `bytes` lie in it, drop_pages()
  // (core/files.h) may take them out of memory.
  std::span<const std::byte> file;

  std::int64_t count() const;  // product of shape; 1 for a scalar
};

// Converts any float or integer tensor to float32.
std::vector<float> to_float(const TensorView& view);

float half_to_float(std::uint16_t bits);
std::uint16_t float_to_half(float value);  // round to nearest even
inline float bf16_to_float(std::uint16_t bits) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
}
std::uint16_t float_to_bf16(float value);  // round to nearest even

// Named tensors and whoever owns their bytes. Copying shares the owner.
struct TensorMap {
  std::map<std::string, TensorView, std::less<>> tensors;
  std::vector<std::shared_ptr<const void>> owners;

  // Throws kCorrupt naming the tensor if it is missing.
  const TensorView& at(std::string_view name) const;
  bool contains(std::string_view name) const { return tensors.find(name) != tensors.end(); }
  // Adds a tensor and takes over its float data.
  void add_float(std::string name, std::vector<std::int64_t> shape, std::vector<float> values);
};

}  // namespace tandem
