#include "preprocess/resize_kernels.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "preprocess/resize_vnni.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "preprocess/resize_kernels.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tandem {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Sums = hn::CappedTag<std::int32_t, 16>;  // one int32 a channel, four a pixel
constexpr std::int32_t kHalf = 1 << (kPrecisionBits - 1);

// Adds the four-lane blocks of v up.
template <class D, class V>
HWY_INLINE auto fold(D /*d*/, V v) {
  if constexpr (hn::MaxLanes(D()) > 4) {
    const hn::Half<D> half;
    return fold(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  } else {
    return v;
  }
}

// One pixel from its sums: shift, clip to 0..255, pack.
template <class V>
HWY_INLINE std::uint32_t packed_pixel(V sums) {
  const hn::FixedTag<std::int32_t, 4> d32;
  const hn::FixedTag<std::uint8_t, 4> d8;
  const hn::FixedTag<std::uint32_t, 1> d1;
  const auto shifted = hn::ShiftRight<kPrecisionBits>(hn::Add(sums, hn::Set(d32, kHalf)));
  return hn::GetLane(hn::BitCast(d1, hn::DemoteTo(d8, shifted)));
}

// kRowsAtOnce rows, which share the weights. Each vector holds as many pixels as fit at four lanes
// each.
template <int kChannels>
HWY_NOINLINE void rows_of(const std::uint8_t* const* from, const Taps& taps,
                          std::uint8_t* const* to) {
  const Sums d;
  const hn::Rebind<std::uint8_t, Sums> bytes;
  constexpr int kPixels = static_cast<int>(hn::MaxLanes(Sums()) / 4);
  // From packed pixels to four bytes each; the fourth of an RGB pixel is not used.
  alignas(64) std::uint8_t spread_at[64] = {};
  alignas(64) std::int32_t repeat_at[16] = {};
  for (int i = 0; i < kPixels * 4; ++i) {
    spread_at[i] = static_cast<std::uint8_t>(i / 4 * kChannels + std::min(i % 4, kChannels - 1));
    repeat_at[i] = i / 4;
  }
  const auto spread = hn::Load(bytes, spread_at);
  const auto repeat = hn::SetTableIndices(d, repeat_at);
  const int outputs = taps.outputs();
  for (int x = 0; x < outputs; ++x) {
    const std::int32_t* weights = taps.weights_of(x);
    const std::ptrdiff_t start = static_cast<std::ptrdiff_t>(taps.first[x]) * kChannels;
    auto sum0 = hn::Zero(d), sum1 = hn::Zero(d), sum2 = hn::Zero(d), sum3 = hn::Zero(d);
    for (int k = 0; k < taps.count[x]; k += kPixels) {
      const auto weight = hn::TableLookupLanes(hn::LoadU(d, weights + k), repeat);
      const std::ptrdiff_t at = start + static_cast<std::ptrdiff_t>(k) * kChannels;
      const auto term = [&](int row) HWY_ATTR {
        const auto packed = hn::LoadU(bytes, from[row] + at);
        return hn::Mul(hn::PromoteTo(d, hn::TableLookupBytes(packed, spread)), weight);
      };
      sum0 = hn::Add(sum0, term(0));
      sum1 = hn::Add(sum1, term(1));
      sum2 = hn::Add(sum2, term(2));
      sum3 = hn::Add(sum3, term(3));
    }
    const std::uint32_t out[] = {packed_pixel(fold(d, sum0)), packed_pixel(fold(d, sum1)),
                                 packed_pixel(fold(d, sum2)), packed_pixel(fold(d, sum3))};
    // Four bytes are stored faster than three, but would reach into the next row at its end.
    const std::size_t size = x + 1 < outputs ? 4 : kChannels;
    for (int row = 0; row < kRowsAtOnce; ++row) {
      std::memcpy(to[row] + static_cast<std::ptrdiff_t>(x) * kChannels, &out[row], size);
    }
  }
}

void rows_kernel(const std::uint8_t* const* from, const Taps& taps, int channels,
                 std::uint8_t* const* to) {
  channels == 3 ? rows_of<3>(from, taps, to) : rows_of<4>(from, taps, to);
}

// Whether this CPU is one for resize_rows_vnni(); false where a test holds Highway back.
bool has_vnni() { return HWY_TARGET == HWY_AVX3_DL; }

// `kVectors` vectors of one output row, from `count` input rows that are `stride` bytes apart.
template <int kVectors>
HWY_INLINE void column_block(const std::uint8_t* from, std::size_t stride,
                             const std::int32_t* weights, int count, std::uint8_t* to) {
  const Sums d;
  const hn::Rebind<std::uint8_t, Sums> bytes;
  const std::size_t lanes = hn::Lanes(d);
  auto sum0 = hn::Set(d, kHalf), sum1 = sum0, sum2 = sum0, sum3 = sum0;
  for (int k = 0; k < count; ++k, from += stride) {
    const auto weight = hn::Set(d, weights[k]);
    const auto term = [&](int i) HWY_ATTR {
      return hn::Mul(hn::PromoteTo(d, hn::LoadU(bytes, from + i * lanes)), weight);
    };
    sum0 = hn::Add(sum0, term(0));
    if constexpr (kVectors == 4) {
      sum1 = hn::Add(sum1, term(1));
      sum2 = hn::Add(sum2, term(2));
      sum3 = hn::Add(sum3, term(3));
    }
  }
  const auto store = [&](auto sum, int i) HWY_ATTR {
    hn::StoreU(hn::DemoteTo(bytes, hn::ShiftRight<kPrecisionBits>(sum)), bytes, to + i * lanes);
  };
  store(sum0, 0);
  if constexpr (kVectors == 4) {
    store(sum1, 1);
    store(sum2, 2);
    store(sum3, 3);
  }
}

// One output row of `size` bytes.
void column_kernel(const Rows& from, std::size_t size, const std::int32_t* weights, int count,
                   std::uint8_t* to) {
  const std::size_t lanes = hn::Lanes(Sums());
  std::size_t i = 0;
  for (; i + lanes * 4 <= size; i += lanes * 4) {
    column_block<4>(from.first + i, from.stride, weights, count, to + i);
  }
  for (; i + lanes <= size; i += lanes) {
    column_block<1>(from.first + i, from.stride, weights, count, to + i);
  }
  for (; i < size; ++i) {
    std::int32_t sum = kHalf;
    for (int k = 0; k < count; ++k) sum += from.first[i + k * from.stride] * weights[k];
    to[i] = static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tandem
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {

HWY_EXPORT(rows_kernel);
HWY_EXPORT(has_vnni);
HWY_EXPORT(column_kernel);

namespace {

constexpr int kReadsPast = 16;  // bytes that rows_kernel() may read past the end of a row

}  // namespace

RowResizer::RowResizer(Taps taps) : taps_(std::move(taps)) {
  if (HWY_DYNAMIC_DISPATCH(has_vnni)()) vnni_weights_ = vnni_weights(taps_);
}

void RowResizer::resize(const Image& in, int row_from, int rows, std::uint8_t* to) const {
  const std::size_t in_bytes = static_cast<std::size_t>(in.width) * in.channels;
  const std::size_t out_bytes = static_cast<std::size_t>(outputs()) * in.channels;
  const bool vnni = !vnni_weights_.empty();
  const std::size_t padded = in_bytes + (vnni ? kVnniReadsPast : kReadsPast);
  std::vector<std::uint8_t> last_rows;  // copies of rows past which nothing may be read
  std::vector<std::uint8_t> spare;      // output of rows that are not wanted
  const std::uint8_t* end = in.pixels.data() + in.pixels.size();
  for (int y = 0; y < rows; y += kRowsAtOnce) {
    std::array<const std::uint8_t*, kRowsAtOnce> block;
    std::array<std::uint8_t*, kRowsAtOnce> block_to;
    if (y + kRowsAtOnce > rows) spare.resize(out_bytes);
    for (int i = 0; i < kRowsAtOnce; ++i) {
      const std::size_t row = row_from + std::min(y + i, rows - 1);
      block[i] = in.pixels.data() + row * in_bytes;
      block_to[i] = y + i < rows ? to + (y + i) * out_bytes : spare.data();
      if (static_cast<std::size_t>(end - block[i]) >= padded) continue;
      last_rows.resize(padded * kRowsAtOnce);
      std::uint8_t* copy = last_rows.data() + i * padded;
      std::copy_n(block[i], in_bytes, copy);
      block[i] = copy;
    }
    if (vnni) {
      resize_rows_vnni(block.data(), taps_, vnni_weights_.data(), in.channels, block_to.data());
    } else {
      HWY_DYNAMIC_DISPATCH(rows_kernel)(block.data(), taps_, in.channels, block_to.data());
    }
  }
}

void resize_column(const Rows& from, std::size_t size, const Taps& taps, int output,
                   std::uint8_t* to) {
  HWY_DYNAMIC_DISPATCH(column_kernel)
  (from, size, taps.weights_of(output), taps.count[output], to);
}

}  // namespace tandem
#endif
