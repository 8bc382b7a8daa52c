// One decoder a file format, for decode.cc only. Each gives 8-bit RGB, or RGBA where the file has
// transparency, not yet turned by its EXIF orientation. All throw as decode_image() does, refuse a
// size above options.max_pixels before they allocate, and treat a library's warning about damaged
// data as an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "preprocess/image.h"

namespace tandem {

using Bytes = std::span<const std::byte>;

struct Decoded {
  Image image;
  int orientation = 1;  // EXIF, 1..8
  int full_width = 0;   // before it was shrunk while decoding; 0: it was not
  int full_height = 0;
};

// What a decoder needs beside the bytes.
struct DecodeJob {
  Bytes bytes;
  const std::string& name;  // of the picture, for messages
  const DecodeOptions& options;
};

Decoded decode_jpeg(const DecodeJob& job);
Decoded decode_png(const DecodeJob& job);
Decoded decode_webp(const DecodeJob& job);
Decoded decode_gif(const DecodeJob& job);

// Throws kInput if width x height is more than options.max_pixels, kCorrupt if a side is zero.
void check_picture_size(const DecodeJob& job, std::int64_t width, std::int64_t height);

// Throws kCorrupt: "x.png: damaged PNG picture (detail). …". detail may be a library's words: it is
// cut and cleaned.
[[noreturn]] void throw_damaged(const DecodeJob& job, const char* format,
                                const std::string& detail);

// Orientation tag (1..8) of a TIFF-structured EXIF block, with or without the "Exif\0\0" before it;
// 1 if there is none or the block is broken: a bad orientation must not cost the picture.
int exif_orientation(Bytes exif);

// Turns and mirrors a picture as EXIF orientation 1..8 says it must be shown.
Image oriented(Image image, int orientation);

}  // namespace tandem
