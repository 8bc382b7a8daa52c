// JPEG through libjpeg-turbo. It reports errors by longjmp: every function here that calls it after
// setjmp owns nothing; what must be freed lives in JpegReader and in the caller.
#include <cstddef>
#include <cstdio>
// jpeglib.h needs FILE and size_t.
#include <jpeglib.h>
// After jpeglib.h.
#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <jerror.h>

#include "core/error.h"
#include "preprocess/picture_formats.h"

namespace tandem {
namespace {

constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr int kMinScans = 32;  // what any honest file may have, whatever its size

struct JpegReader {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf on_error{};
  char message[JMSG_LENGTH_MAX] = "";
  int max_scans = 0;
  bool too_many_scans = false;

  JpegReader() = default;
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&jpeg); }
};

JpegReader& reader_of(j_common_ptr jpeg) { return *static_cast<JpegReader*>(jpeg->client_data); }

void on_error_exit(j_common_ptr jpeg) {
  JpegReader& reader = reader_of(jpeg);
  jpeg->err->format_message(jpeg, reader.message);
  std::longjmp(reader.on_error, 1);
}

// Warnings that leave the pixels as they were meant.
bool harmless(int code) {
  return code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM ||
         code == JWRN_TOO_MUCH_DATA;
}

void on_message(j_common_ptr jpeg, int level) {
  if (level < 0 && !harmless(jpeg->err->msg_code)) on_error_exit(jpeg);
}

void on_progress(j_common_ptr jpeg) {
  JpegReader& reader = reader_of(jpeg);
  if (reader.jpeg.input_scan_number <= reader.max_scans) return;
  reader.too_many_scans = true;
  std::longjmp(reader.on_error, 1);
}

bool read_header(JpegReader& r, Bytes bytes) {
  r.jpeg.err = jpeg_std_error(&r.errors);
  r.errors.error_exit = on_error_exit;
  r.errors.emit_message = on_message;
  r.jpeg.client_data = &r;
  if (setjmp(r.on_error) != 0) return false;
  jpeg_create_decompress(&r.jpeg);  // keeps err and client_data
  r.progress.progress_monitor = on_progress;
  r.jpeg.progress = &r.progress;
  r.max_scans = kMinScans;
  jpeg_mem_src(&r.jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_save_markers(&r.jpeg, kExifMarker, 0xFFFF);
  jpeg_read_header(&r.jpeg, TRUE);
  return true;
}

// Four components come out as CMYK (inverted, as Adobe writes it), all else as RGB.
bool start(JpegReader& r, unsigned shrink) {
  if (setjmp(r.on_error) != 0) return false;
  r.jpeg.scale_num = 1;
  r.jpeg.scale_denom = shrink;
  r.jpeg.out_color_space = r.jpeg.num_components == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&r.jpeg);
  return true;
}

void cmyk_row_to_rgb(const std::uint8_t* from, std::uint8_t* to, int width) {
  for (int x = 0; x < width; ++x, from += 4, to += 3) {
    const int white = from[3];  // 255 - K
    for (int c = 0; c < 3; ++c) {
      const int t = (255 - from[c]) * white + 128;  // ink * white / 255, rounded, as Pillow
      to[c] = static_cast<std::uint8_t>(std::max(white - (((t >> 8) + t) >> 8), 0));
    }
  }
}

// `row` holds one row of four components, or is null when the components are RGB.
bool read_pixels(JpegReader& r, std::uint8_t* pixels, std::uint8_t* row) {
  if (setjmp(r.on_error) != 0) return false;
  const std::size_t stride = std::size_t{3} * r.jpeg.output_width;
  while (r.jpeg.output_scanline < r.jpeg.output_height) {
    std::uint8_t* to = pixels + stride * r.jpeg.output_scanline;
    JSAMPROW rows[1] = {row != nullptr ? row : to};
    jpeg_read_scanlines(&r.jpeg, rows, 1);
    if (row != nullptr) cmyk_row_to_rgb(row, to, static_cast<int>(r.jpeg.output_width));
  }
  jpeg_finish_decompress(&r.jpeg);  // reads to the end of the picture: a cut file is an error
  return true;
}

int orientation_of(const JpegReader& r) {
  for (auto* marker = r.jpeg.marker_list; marker != nullptr; marker = marker->next) {
    if (marker->marker != kExifMarker || marker->data_length < 6) continue;
    if (std::memcmp(marker->data, "Exif\0\0", 6) != 0) continue;
    return exif_orientation(
        {reinterpret_cast<const std::byte*>(marker->data), marker->data_length});
  }
  return 1;
}

// The largest DCT scale that leaves the short side at least `short_side_px`.
unsigned shrink_for(int short_side_px, std::int64_t short_side) {
  if (short_side_px <= 0) return 1;
  for (const unsigned shrink : {8U, 4U, 2U}) {
    if (short_side / shrink >= short_side_px) return shrink;
  }
  return 1;
}

[[noreturn]] void fail(const DecodeJob& job, const JpegReader& reader) {
  if (!reader.too_many_scans) throw_damaged(job, "JPEG", reader.message);
  throw Error(Kind::kInput, job.name + ": progressive JPEG picture with more than " +
                                std::to_string(reader.max_scans) +
                                " scans, which would take very long. Save it again.");
}

}  // namespace

Decoded decode_jpeg(const DecodeJob& job) {
  JpegReader reader;
  if (!read_header(reader, job.bytes)) fail(job, reader);
  const std::int64_t width = reader.jpeg.image_width, height = reader.jpeg.image_height;
  check_picture_size(job, width, height);
  // A lie about the size is found before memory is spent on it: with Huffman codes each of the 8x8
  // blocks costs a bit at least.
  const auto bits = static_cast<std::int64_t>(job.bytes.size()) * 8;
  if (reader.jpeg.arith_code == FALSE && width * height / 64 > bits) {
    throw_damaged(job, "JPEG", "too few pixels in it");
  }
  // Every scan visits every pixel, so a large picture may have fewer.
  const std::int64_t affordable = kMinScans * (job.options.max_pixels / (width * height));
  reader.max_scans = static_cast<int>(std::min<std::int64_t>(
      job.options.max_jpeg_scans, std::max<std::int64_t>(kMinScans, affordable)));
  const unsigned shrink = shrink_for(job.options.short_side_px, std::min(width, height));
  if (!start(reader, shrink)) fail(job, reader);

  Decoded out;
  if (job.options.exif_orientation) out.orientation = orientation_of(reader);
  if (shrink > 1) {
    out.full_width = static_cast<int>(width);
    out.full_height = static_cast<int>(height);
  }
  out.image.width = static_cast<int>(reader.jpeg.output_width);
  out.image.height = static_cast<int>(reader.jpeg.output_height);
  out.image.pixels.resize(static_cast<std::size_t>(out.image.width) * out.image.height * 3);
  std::vector<std::uint8_t> row(
      reader.jpeg.output_components == 4 ? std::size_t{4} * reader.jpeg.output_width : 0);
  if (!read_pixels(reader, out.image.pixels.data(), row.empty() ? nullptr : row.data())) {
    fail(job, reader);
  }
  return out;
}

}  // namespace tandem
