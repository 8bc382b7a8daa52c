// A part of a picture.
#pragma once

#include "preprocess/image.h"

namespace tandem {

// In the picture as it is shown, cut to its edges.
struct Region {
  double left = 0;
  double top = 0;
  double width = 0;
  double height = 0;
  bool percent = false;  // of the picture's sides, else pixels
  friend bool operator==(const Region&, const Region&) = default;
};

// The region's pixels, its edges rounded to whole ones. Throws kInput when nothing is left.
Image crop(const Image& image, const Region& region);

}  // namespace tandem
