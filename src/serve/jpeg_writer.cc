#include "serve/jpeg_writer.h"

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <jpeglib.h>

#include "tandem/error.h"

namespace tandem::serve {
namespace {

constexpr int kMostSide = 65'500;  // JPEG_MAX_DIMENSION

struct ErrorExit {
  jpeg_error_mgr manager;
  std::jmp_buf back;
};

[[noreturn]] void on_error(j_common_ptr jpeg) {
  std::longjmp(reinterpret_cast<ErrorExit*>(jpeg->err)->back, 1);
}

// Plain data only between setjmp and longjmp. False: libjpeg gave up.
bool compress(const Image& image, int quality, unsigned char** out, unsigned long* size) {
  jpeg_compress_struct jpeg;
  ErrorExit failure;
  jpeg.err = jpeg_std_error(&failure.manager);
  failure.manager.error_exit = on_error;
  if (setjmp(failure.back) != 0) {
    jpeg_destroy_compress(&jpeg);
    return false;
  }
  jpeg_create_compress(&jpeg);
  jpeg_mem_dest(&jpeg, out, size);
  jpeg.image_width = static_cast<JDIMENSION>(image.width);
  jpeg.image_height = static_cast<JDIMENSION>(image.height);
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, quality, TRUE);
  jpeg.optimize_coding = TRUE;
  jpeg_start_compress(&jpeg, TRUE);
  const auto stride = static_cast<std::size_t>(image.width) * 3;
  while (jpeg.next_scanline < jpeg.image_height) {
    auto* row = const_cast<JSAMPROW>(image.pixels.data() + jpeg.next_scanline * stride);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  return true;
}

}  // namespace

std::vector<std::byte> jpeg_file(const Image& image, int quality) {
  const bool fits = image.channels == 3 && image.width >= 1 && image.height >= 1 &&
                    image.width <= kMostSide && image.height <= kMostSide;
  if (!fits) throw Error(Kind::kInput, "a JPEG needs RGB pixels and sides of 1 to 65,500.");
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  const bool done = compress(image, quality, &bytes, &size);
  std::vector<std::byte> out(done ? size : 0);
  if (done) std::memcpy(out.data(), bytes, size);
  std::free(bytes);
  if (!done) throw Error(Kind::kInternal, "libjpeg could not write a picture.");
  return out;
}

Image shrunk(const Image& image, int side_px) {
  const int longer = std::max(image.width, image.height);
  if (longer <= side_px) return image;
  const auto scaled = [&](int side) {
    return std::max(
        1, static_cast<int>((static_cast<std::int64_t>(side) * side_px + longer / 2) / longer));
  };
  return resize(image, scaled(image.width), scaled(image.height), Filter::kBilinear);
}

}  // namespace tandem::serve
