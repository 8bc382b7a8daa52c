// Part of a resized picture, without computing the rest. Private to this room.
#pragma once

#include "preprocess/image.h"

namespace tandem {

// What to compute: `full` is the picture that resize() would give, `window` the part of it that is
// wanted.
struct ResizePlan {
  int full_width = 0;
  int full_height = 0;
  Filter filter = Filter::kBicubic;
  Box box{};                                // the part of the source that is resized
  int x = 0, y = 0, width = 0, height = 0;  // the window, inside full_width x full_height
};

// Equals resize() followed by a crop to the window: every output pixel depends on its own taps
// only. Throws kInput if a size is not positive, or the box is empty or outside the picture.
Image resize_window(const Image& image, const ResizePlan& plan);

}  // namespace tandem
