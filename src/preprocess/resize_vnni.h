// The horizontal pass for x86 CPUs with AVX-512 VBMI and VNNI; elsewhere resize_vnni_stub.cc.
// Private to this room.
#pragma once

#include <cstdint>
#include <vector>

#include "preprocess/resize_taps.h"

namespace tandem {

// Splits each weight into three signed bytes, w = w0 + 256 w1 + 65536 w2, so that sums of byte
// products are exact. weights := (output group)*, group := 16 taps: (digit: 64 bytes){3}, lowest
// digit first, digit := (4 taps of channel 0, the same 4 for channels 1, 2, 3){4}
std::vector<std::int8_t> vnni_weights(const Taps& taps);

constexpr int kVnniReadsPast = 64;  // bytes that may be read past the end of a row

// Resizes kRowsAtOnce rows. Requires such a CPU, weights = vnni_weights(taps).
void resize_rows_vnni(const std::uint8_t* const* from, const Taps& taps, const std::int8_t* weights,
                      int channels, std::uint8_t* const* to);

}  // namespace tandem
