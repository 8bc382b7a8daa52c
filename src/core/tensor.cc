#include "core/tensor.h"

#include <cassert>
#include <cstring>
#include <fmt/format.h>
#include <utility>

#include "core/error.h"

namespace tandem {
namespace {

std::uint32_t float_bits(float value) { return __builtin_bit_cast(std::uint32_t, value); }

template <typename T, typename Convert>
void convert_all(std::span<const std::byte> bytes, std::vector<float>& out, Convert convert) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    T element;
    std::memcpy(&element, bytes.data() + i * sizeof(T), sizeof(T));
    out[i] = convert(element);
  }
}

}  // namespace

std::size_t dtype_bytes(DType dtype) {
  switch (dtype) {
    case DType::kF64:
    case DType::kI64:
      return 8;
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kF16:
    case DType::kBF16:
    case DType::kI16:
      return 2;
    case DType::kI8:
    case DType::kU8:
    case DType::kBool:
      return 1;
  }
  throw Error(Kind::kInternal, "dtype_bytes: not a dtype");
}

std::string_view dtype_name(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      return "F64";
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
    case DType::kI64:
      return "I64";
    case DType::kI32:
      return "I32";
    case DType::kI16:
      return "I16";
    case DType::kI8:
      return "I8";
    case DType::kU8:
      return "U8";
    case DType::kBool:
      return "BOOL";
  }
  throw Error(Kind::kInternal, "dtype_name: not a dtype");
}

std::int64_t TensorView::count() const {
  std::int64_t product = 1;
  for (const std::int64_t side : shape) product *= side;
  return product;
}

std::vector<float> to_float(const TensorView& view) {
  const auto count = static_cast<std::size_t>(view.count());
  if (count * dtype_bytes(view.dtype) != view.bytes.size()) {
    throw Error(Kind::kInternal, fmt::format("to_float: a shape of {} elements over {} bytes of {}",
                                             count, view.bytes.size(), dtype_name(view.dtype)));
  }
  std::vector<float> out(count);
  const auto plain = [](auto element) { return static_cast<float>(element); };
  switch (view.dtype) {
    case DType::kF64:
      convert_all<double>(view.bytes, out, plain);
      break;
    case DType::kF32:
      if (count > 0) std::memcpy(out.data(), view.bytes.data(), view.bytes.size());
      break;
    case DType::kF16:
      convert_all<std::uint16_t>(view.bytes, out, half_to_float);
      break;
    case DType::kBF16:
      convert_all<std::uint16_t>(view.bytes, out, bf16_to_float);
      break;
    case DType::kI64:
      convert_all<std::int64_t>(view.bytes, out, plain);
      break;
    case DType::kI32:
      convert_all<std::int32_t>(view.bytes, out, plain);
      break;
    case DType::kI16:
      convert_all<std::int16_t>(view.bytes, out, plain);
      break;
    case DType::kI8:
      convert_all<std::int8_t>(view.bytes, out, plain);
      break;
    case DType::kU8:
      convert_all<std::uint8_t>(view.bytes, out, plain);
      break;
    case DType::kBool:
      convert_all<std::uint8_t>(view.bytes, out,
                                [](std::uint8_t b) { return b != 0 ? 1.0F : 0.0F; });
      break;
  }
  return out;
}

// half := sign:1 exponent:5 (bias 15) mantissa:10
float half_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1FU;
  const std::uint32_t mantissa = bits & 0x3FFU;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24, exact in float32
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return __builtin_bit_cast(float, float_bits(magnitude) | sign);
  }
  if (exponent == 31) {  // infinity and NaN; a signalling NaN becomes quiet, as F16C does
    const std::uint32_t quiet = mantissa != 0 ? 0x00400000U : 0U;
    return __builtin_bit_cast(float, sign | 0x7F800000U | quiet | (mantissa << 13));
  }
  return __builtin_bit_cast(float, sign | ((exponent + 112) << 23) | (mantissa << 13));
}

std::uint16_t float_to_half(float value) {
  const std::uint32_t bits = float_bits(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  std::uint32_t half = 0;
  if (magnitude > 0x7F800000U) {  // NaN: quiet, upper payload bits kept
    half = 0x7E00U | ((magnitude >> 13) & 0x3FFU);
  } else if (magnitude >= 0x477FF000U) {  // >= 65520 rounds to infinity
    half = 0x7C00U;
  } else if (magnitude >= 0x38800000U) {  // >= 2^-14: a normal half
    const std::uint32_t rounded = magnitude + 0xFFFU + ((magnitude >> 13) & 1U);
    half = (rounded - (112U << 23)) >> 13;
  } else if (magnitude >= 0x33000000U) {                   // >= 2^-25: a subnormal half
    const std::uint32_t shift = 126U - (magnitude >> 23);  // 14..24
    const std::uint32_t mantissa = (magnitude & 0x7FFFFFU) | 0x800000U;
    const std::uint32_t rest = mantissa & ((1U << shift) - 1U);
    const std::uint32_t middle = 1U << (shift - 1U);
    half = mantissa >> shift;
    if (rest > middle || (rest == middle && (half & 1U) != 0)) ++half;
  }
  return static_cast<std::uint16_t>(sign | half);
}

std::uint16_t float_to_bf16(float value) {
  const std::uint32_t bits = float_bits(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) {  // NaN stays NaN
    return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  }
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

const TensorView& TensorMap::at(std::string_view name) const {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    throw Error(Kind::kCorrupt, fmt::format("tensor {} is missing", name));
  }
  return found->second;
}

void TensorMap::add_float(std::string name, std::vector<std::int64_t> shape,
                          std::vector<float> values) {
  const auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  TensorView view{DType::kF32, std::move(shape), std::as_bytes(std::span(*owner))};
  assert(static_cast<std::size_t>(view.count()) == owner->size());
  tensors.insert_or_assign(std::move(name), std::move(view));
  owners.push_back(owner);
}

}  // namespace tandem
