// Pictures as JPEG files (libjpeg-turbo).
#pragma once

#include <cstddef>
#include <vector>

#include "preprocess/image.h"

namespace tandem::serve {

// quality: 1 to 100. Throws kInput unless the picture is RGB with sides of 1 to 65,500.
std::vector<std::byte> jpeg_file(const Image& image, int quality);

// The picture with its longer side at most `side_px`; never larger than it was.
Image shrunk(const Image& image, int side_px);

}  // namespace tandem::serve
