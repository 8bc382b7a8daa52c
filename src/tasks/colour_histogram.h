// The plainest rival: pictures as colour histograms, words as the mean histogram of pictures known
// to show them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tandem/matrix.h"

#include "preprocess/image.h"

namespace tandem {

// 4 x 4 x 4 bins of red, green and blue.
inline constexpr std::size_t kHistogramWidth = 64;

// Square roots of the shares of pixels in each bin: a unit vector, so that the dot product of two
// is their Bhattacharyya coefficient. Requires: an RGB picture with at least one pixel; out.size()
// == kHistogramWidth.
void colour_histogram(const Image& image, std::span<float> out);

}  // namespace tandem
