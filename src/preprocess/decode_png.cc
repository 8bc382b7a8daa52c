// PNG through libpng's row interface. libpng reports errors by longjmp: every function here that
// calls it after setjmp owns nothing; what must be freed lives in PngReader and in the caller.
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <png.h>
#include <utility>

#include "preprocess/picture_formats.h"

namespace tandem {
namespace {

constexpr std::size_t kMaxChunkBytes =
    8'000'000;  // of chunks that are not pixels; libpng's default
constexpr std::size_t kMaxChunks = 1'000;
constexpr std::size_t kMaxInflation = 1'032;  // deflate: 258 bytes from two bits

struct PngReader {
  Bytes bytes;
  std::size_t at = 0;
  char message[96] = "";
  png_structp png = nullptr;
  png_infop info = nullptr;

  PngReader() = default;
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
};

void on_error(png_structp png, png_const_charp message) {
  auto& reader = *static_cast<PngReader*>(png_get_error_ptr(png));
  std::snprintf(reader.message, sizeof reader.message, "%s", message);
  png_longjmp(png, 1);
}

// Missing or excess pixels are errors in libpng; its warnings are about chunks that do not matter
// here.
void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep to, std::size_t count) {
  auto& reader = *static_cast<PngReader*>(png_get_io_ptr(png));
  if (count > reader.bytes.size() - reader.at) png_error(png, "file ends too early");
  std::memcpy(to, reader.bytes.data() + reader.at, count);
  reader.at += count;
}

// png   := signature:8 chunk* "IEND"
// chunk := length:u32 type:u32 data:length crc:u32        (big-endian)
// Checked before libpng sees the file: it allocates what an eXIf chunk claims to hold. Returns the
// size of the compressed pixels.
std::size_t check_chunks(const DecodeJob& job) {
  std::size_t at = 8, count = 0, pixel_bytes = 0;
  while (true) {
    if (job.bytes.size() < at + 12) throw_damaged(job, "PNG", "file ends too early");
    const auto* p = reinterpret_cast<const unsigned char*>(job.bytes.data()) + at;
    const std::size_t length = png_get_uint_32(p);
    if (length > job.bytes.size() - at - 12)
      throw_damaged(job, "PNG", "a chunk ends past the file");
    const bool pixels = std::memcmp(p + 4, "IDAT", 4) == 0;
    if (!pixels && (length > kMaxChunkBytes || ++count > kMaxChunks)) {
      throw_damaged(job, "PNG", "too much beside the pixels");
    }
    if (pixels) pixel_bytes += length;
    if (std::memcmp(p + 4, "IEND", 4) == 0) return pixel_bytes;
    at += 12 + length;
  }
}

bool read_header(PngReader& r) {
  r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
  if (r.png == nullptr) return false;
  if (setjmp(png_jmpbuf(r.png)) != 0) return false;
  r.info = png_create_info_struct(r.png);
  if (r.info == nullptr) return false;
  png_set_read_fn(r.png, &r, on_read);
  png_set_user_limits(r.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // check_picture_size() decides
  png_set_chunk_malloc_max(r.png, kMaxChunkBytes);
  png_set_chunk_cache_max(r.png, static_cast<png_uint_32>(kMaxChunks));
  // Skips text, colour profiles and the like; of what is optional only tRNS and eXIf change the
  // picture.
  png_set_keep_unknown_chunks(r.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  constexpr png_byte kExif[] = {'e', 'X', 'I', 'f', 0};
  png_set_keep_unknown_chunks(r.png, PNG_HANDLE_CHUNK_AS_DEFAULT, kExif, 1);
  png_read_info(r.png, r.info);
  return true;
}

// 16-bit grey stays as it is for `keep_grey16`; all else becomes 8-bit RGB or RGBA.
bool set_transforms(PngReader& r, bool keep_grey16) {
  if (setjmp(png_jmpbuf(r.png)) != 0) return false;
  if (!keep_grey16) {
    png_set_expand(r.png);  // palette, 1/2/4-bit grey, tRNS
    png_set_strip_16(r.png);
    png_set_gray_to_rgb(r.png);
  }
  png_set_interlace_handling(r.png);
  png_read_update_info(r.png, r.info);
  return true;
}

bool read_pixels(PngReader& r, std::uint8_t* pixels, std::size_t stride) {
  if (setjmp(png_jmpbuf(r.png)) != 0) return false;
  const png_uint_32 height = png_get_image_height(r.png, r.info);
  const int passes = png_get_interlace_type(r.png, r.info) == PNG_INTERLACE_NONE ? 1 : 7;
  for (int pass = 0; pass < passes; ++pass) {
    for (png_uint_32 y = 0; y < height; ++y) png_read_row(r.png, pixels + y * stride, nullptr);
  }
  png_read_end(r.png, r.info);
  return true;
}

int orientation_of(PngReader& r) {
  png_uint_32 count = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(r.png, r.info, &count, &exif) == 0 || exif == nullptr) return 1;
  return exif_orientation({reinterpret_cast<const std::byte*>(exif), count});
}

// Big-endian 16-bit grey at the head of `pixels` to RGB, clipped at 255 as Pillow's convert("RGB")
// clips mode I;16.
void clip_grey16(Image& image) {
  std::uint8_t* p = image.pixels.data();
  const std::size_t n = static_cast<std::size_t>(image.width) * image.height;
  for (std::size_t i = n; i-- > 0;) {
    const std::uint8_t v = p[i * 2] != 0 ? 255 : p[i * 2 + 1];
    std::memset(p + i * 3, v, 3);
  }
}

}  // namespace

Decoded decode_png(const DecodeJob& job) {
  const std::size_t compressed = check_chunks(job);
  PngReader reader;
  reader.bytes = job.bytes;
  if (!read_header(reader)) throw_damaged(job, "PNG", reader.message);
  const std::int64_t width = png_get_image_width(reader.png, reader.info);
  const std::int64_t height = png_get_image_height(reader.png, reader.info);
  check_picture_size(job, width, height);
  // A lie about the size is found before memory is spent on it.
  if (png_get_rowbytes(reader.png, reader.info) * height > compressed * kMaxInflation) {
    throw_damaged(job, "PNG", "too few pixels in it");
  }
  const bool clip16 = job.options.alpha == Alpha::kDrop &&
                      png_get_bit_depth(reader.png, reader.info) == 16 &&
                      png_get_color_type(reader.png, reader.info) == PNG_COLOR_TYPE_GRAY;
  if (!set_transforms(reader, clip16)) throw_damaged(job, "PNG", reader.message);

  Decoded out;
  out.image.width = static_cast<int>(width);
  out.image.height = static_cast<int>(height);
  out.image.channels = clip16 ? 3 : png_get_channels(reader.png, reader.info);
  out.image.pixels.resize(static_cast<std::size_t>(width * height) * out.image.channels);
  const auto stride = static_cast<std::size_t>(width) * (clip16 ? 2 : out.image.channels);
  if (!read_pixels(reader, out.image.pixels.data(), stride)) {
    throw_damaged(job, "PNG", reader.message);
  }
  if (clip16) clip_grey16(out.image);
  if (job.options.exif_orientation) out.orientation = orientation_of(reader);
  return out;
}

}  // namespace tandem
