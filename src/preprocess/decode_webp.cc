// WebP through libwebp and libwebpdemux; of an animation the first frame, on its canvas.
#include <memory>
#include <webp/decode.h>
#include <webp/demux.h>

#include "preprocess/picture_formats.h"

namespace tandem {
namespace {

struct DemuxDelete {
  void operator()(WebPDemuxer* demux) const { WebPDemuxDelete(demux); }
};
using Demux = std::unique_ptr<WebPDemuxer, DemuxDelete>;

// WebPIterator with its release.
struct Frame : WebPIterator {
  explicit Frame(const WebPDemuxer* demux) : WebPIterator{} {
    found = WebPDemuxGetFrame(demux, 1, this) != 0;
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame() { WebPDemuxReleaseIterator(this); }
  bool found = false;
};

int orientation_of(const WebPDemuxer* demux) {
  WebPChunkIterator chunk{};
  int orientation = 1;
  if (WebPDemuxGetChunk(demux, "EXIF", 1, &chunk) != 0) {
    orientation =
        exif_orientation({reinterpret_cast<const std::byte*>(chunk.chunk.bytes), chunk.chunk.size});
  }
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

// Decodes into `image`, whose canvas is larger than the frame where an animation says so.
bool decode_frame(const Frame& frame, Image& image) {
  WebPBitstreamFeatures features;
  const WebPData& data = frame.fragment;
  if (WebPGetFeatures(data.bytes, data.size, &features) != VP8_STATUS_OK) return false;
  const bool fits = features.width == frame.width && features.height == frame.height &&
                    frame.x_offset >= 0 && frame.x_offset <= image.width - frame.width &&
                    frame.y_offset >= 0 && frame.y_offset <= image.height - frame.height;
  if (!fits) return false;
  const std::size_t stride = static_cast<std::size_t>(image.width) * image.channels;
  const std::size_t offset =
      stride * frame.y_offset + static_cast<std::size_t>(frame.x_offset) * image.channels;
  std::uint8_t* to = image.pixels.data() + offset;
  const std::size_t room = image.pixels.size() - offset;
  const auto decode = image.channels == 4 ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  return decode(data.bytes, data.size, to, room, static_cast<int>(stride)) != nullptr;
}

}  // namespace

Decoded decode_webp(const DecodeJob& job) {
  const WebPData data{reinterpret_cast<const std::uint8_t*>(job.bytes.data()), job.bytes.size()};
  const Demux demux(WebPDemux(&data));
  if (demux == nullptr) throw_damaged(job, "WebP", "");
  const std::int64_t width = WebPDemuxGetI(demux.get(), WEBP_FF_CANVAS_WIDTH);
  const std::int64_t height = WebPDemuxGetI(demux.get(), WEBP_FF_CANVAS_HEIGHT);
  check_picture_size(job, width, height);
  const Frame frame(demux.get());
  if (!frame.found || frame.complete == 0) throw_damaged(job, "WebP", "no complete frame");

  Decoded out;
  const bool has_alpha = (WebPDemuxGetI(demux.get(), WEBP_FF_FORMAT_FLAGS) & ALPHA_FLAG) != 0;
  out.image = {static_cast<int>(width), static_cast<int>(height), has_alpha ? 4 : 3, {}};
  out.image.pixels.resize(static_cast<std::size_t>(width * height) * out.image.channels);
  if (!decode_frame(frame, out.image)) throw_damaged(job, "WebP", "");
  if (job.options.exif_orientation) out.orientation = orientation_of(demux.get());
  return out;
}

}  // namespace tandem
