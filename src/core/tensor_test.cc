#include "core/tensor.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>

#include "core/error.h"
#include "core/rng.h"

namespace tandem {
namespace {

// Written out from the format's definition, apart from the code under test: every step here is
// exact in double.
double half_by_definition(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 31) return mantissa == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

TEST(Half, AllBitPatternsReadAsTheFormatDefines) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const double want = half_by_definition(static_cast<std::uint16_t>(bits));
    const float got = half_to_float(static_cast<std::uint16_t>(bits));
    if (std::isnan(want)) {
      ASSERT_TRUE(std::isnan(got)) << bits;
    } else {
      ASSERT_EQ(static_cast<double>(got), want) << bits;
      ASSERT_EQ(std::signbit(got), (bits & 0x8000) != 0) << bits;
    }
  }
}

TEST(Half, AllBitPatternsSurviveARoundTrip) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = half_to_float(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(half_to_float(float_to_half(value)))) << bits;
    } else {
      ASSERT_EQ(float_to_half(value), bits);
    }
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  for (std::uint32_t bits = 0; bits < 0x7BFF; ++bits) {  // each pair of finite neighbours
    const float low = half_to_float(static_cast<std::uint16_t>(bits));
    const float high = half_to_float(static_cast<std::uint16_t>(bits + 1));
    const float middle = (low + high) / 2;  // exact: one more bit
    const std::uint32_t even = bits % 2 == 0 ? bits : bits + 1;
    ASSERT_EQ(float_to_half(middle), even);
    ASSERT_EQ(float_to_half(std::nextafter(middle, low)), bits);
    ASSERT_EQ(float_to_half(std::nextafter(middle, high)), bits + 1);
    ASSERT_EQ(float_to_half(-middle), even | 0x8000U);
  }
  EXPECT_EQ(float_to_half(65519.99F), 0x7BFF);
  EXPECT_EQ(float_to_half(65520.0F), 0x7C00);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::max()), 0x7C00);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::denorm_min()), 0);
}

TEST(BFloat16, AllBitPatternsSurviveARoundTrip) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = bf16_to_float(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(bf16_to_float(float_to_bf16(value)))) << bits;
    } else {
      ASSERT_EQ(float_to_bf16(value), bits);
    }
  }
}

TEST(BFloat16, RoundsToTheNearestAndTiesToEven) {
  const auto from_bits = [](std::uint32_t bits) { return std::bit_cast<float>(bits); };
  EXPECT_EQ(float_to_bf16(from_bits(0x3F808000)), 0x3F80);  // tie, even below
  EXPECT_EQ(float_to_bf16(from_bits(0x3F818000)), 0x3F82);  // tie, even above
  EXPECT_EQ(float_to_bf16(from_bits(0x3F808001)), 0x3F81);
  EXPECT_EQ(float_to_bf16(from_bits(0x3F807FFF)), 0x3F80);
  EXPECT_EQ(float_to_bf16(from_bits(0x7F7FFFFF)), 0x7F80);  // the largest float rounds to infinity
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(from_bits(0x7F800001)))));
}

template <typename T>
TensorView view_of(DType dtype, const std::vector<T>& values) {
  return {dtype, {static_cast<std::int64_t>(values.size())}, std::as_bytes(std::span(values))};
}

TEST(ToFloat, ConvertsEveryDtype) {
  const std::vector<float> want = {0, 1, -2, 100};
  EXPECT_EQ(to_float(view_of(DType::kF64, std::vector<double>{0, 1, -2, 100})), want);
  EXPECT_EQ(to_float(view_of(DType::kF32, std::vector<float>{0, 1, -2, 100})), want);
  EXPECT_EQ(to_float(view_of(DType::kF16, std::vector<std::uint16_t>{0, 0x3C00, 0xC000, 0x5640})),
            want);
  EXPECT_EQ(to_float(view_of(DType::kBF16, std::vector<std::uint16_t>{0, 0x3F80, 0xC000, 0x42C8})),
            want);
  EXPECT_EQ(to_float(view_of(DType::kI64, std::vector<std::int64_t>{0, 1, -2, 100})), want);
  EXPECT_EQ(to_float(view_of(DType::kI32, std::vector<std::int32_t>{0, 1, -2, 100})), want);
  EXPECT_EQ(to_float(view_of(DType::kI16, std::vector<std::int16_t>{0, 1, -2, 100})), want);
  EXPECT_EQ(to_float(view_of(DType::kI8, std::vector<std::int8_t>{0, 1, -2, 100})), want);
  EXPECT_EQ(to_float(view_of(DType::kU8, std::vector<std::uint8_t>{0, 255})),
            (std::vector<float>{0, 255}));
  EXPECT_EQ(to_float(view_of(DType::kBool, std::vector<std::uint8_t>{0, 2})),
            (std::vector<float>{0, 1}));
}

TEST(ToFloat, ReadsUnalignedBytesAndEmptyTensors) {
  std::vector<std::byte> bytes(9);
  const float value = 1.5F;
  std::memcpy(bytes.data() + 1, &value, 4);
  std::memcpy(bytes.data() + 5, &value, 4);
  EXPECT_EQ(to_float({DType::kF32, {2}, std::span<const std::byte>(bytes).subspan(1)}),
            (std::vector<float>{1.5F, 1.5F}));
  EXPECT_TRUE(to_float({DType::kF32, {3, 0}, {}}).empty());
  EXPECT_EQ(to_float({DType::kF32, {}, std::span<const std::byte>(bytes).subspan(1, 4)}).size(), 1U)
      << "a scalar";
}

TEST(TensorMap, NamesTheMissingTensor) {
  TensorMap map;
  map.add_float("a", {2, 1}, {1, 2});
  EXPECT_EQ(to_float(map.at("a")), (std::vector<float>{1, 2}));
  EXPECT_TRUE(map.contains("a"));
  try {
    map.at("visual.proj");
    FAIL() << "should have thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kCorrupt);
    EXPECT_STREQ(e.what(), "tensor visual.proj is missing");
  }
}

TEST(TensorMap, KeepsItsBytesAliveInCopies) {
  auto map = std::make_unique<TensorMap>();
  map->add_float("a", {3}, {1, 2, 3});
  const TensorMap copy = *map;
  map.reset();
  EXPECT_EQ(to_float(copy.at("a")), (std::vector<float>{1, 2, 3}));
}

}  // namespace
}  // namespace tandem
