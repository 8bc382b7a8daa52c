// Pictures as people see them: decode bytes, resize like Pillow, cut to a model's input size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tandem {

// 8-bit interleaved pixels, rows from top to bottom. channels is 3 (RGB) or 4 (RGBA, not
// premultiplied).
struct Image {
  int width = 0;
  int height = 0;
  int channels = 3;
  std::vector<std::uint8_t> pixels;  // height * width * channels
  // The size in the file, as shown, where DecodeOptions::short_side_px made the decoder shrink it.
  int full_width = 0;  // 0: `width`
  int full_height = 0;
};

enum class Alpha {
  kOnWhite,  // composite on white: what people see (default)
  kDrop,     // forget alpha, exactly as Pillow's convert("RGB") (--reference)
  kKeep,     // RGBA out, opaque where the file has no alpha (training augmentation)
};

struct DecodeOptions {
  Alpha alpha = Alpha::kOnWhite;
  bool exif_orientation = true;          // false with --reference
  std::int64_t max_pixels = 89'478'485;  // Pillow's warning level; reliability.md section 2
  int max_jpeg_scans = 500;              // progressive bombs (DALI #5316)
  // JPEG only: decode to 1/2, 1/4 or 1/8 in the DCT, as long as the short side stays at least this.
  // Several times faster on large pictures, and not the reference's pixels. 0: never.
  int short_side_px = 0;
};

// Decodes JPEG, PNG, WebP or GIF (first frame), told apart by their first bytes, not by file name.
// Grey, palette, 16-bit, CMYK/YCCK become RGB exactly as Pillow's convert("RGB") would; only 16-bit
// grey keeps its high byte where Pillow clips it to white, unless alpha is kDrop. The size is
// checked before allocation; damage that a library would only warn of (a file cut short, bad codes)
// is an error. `name` appears in messages. Throws kCorrupt (truncated, broken), kInput (too large),
// kUnsupported (other formats, naming the format where it is known).
Image decode_image(std::span<const std::byte> bytes, const std::string& name,
                   const DecodeOptions& options = {});

enum class Filter { kBilinear, kBicubic };

struct Box {
  double left, top, right, bottom;
};

// Pillow's Image.resize((width,height), filter, box, reducing_gap=None): antialiased, two passes of
// fixed-point arithmetic (22 - 8 bits), equal byte for byte to Pillow 9..12.2 for RGB and RGBA
// (RGBA premultiplied first, as Pillow does). Pillow 13 takes the vertical pass first where the
// height shrinks by more than twice what the width does, in pixels: some bytes differ by one there.
// Throws kInput if a side is below 1 or the box is empty or outside. Source: Pillow
// src/libImaging/Resample.c.
Image resize(const Image& image, int width, int height, Filter filter);
Image resize(const Image& image, int width, int height, Filter filter, const Box& box);

}  // namespace tandem
