// GIF through giflib: the first frame, on its screen, as Pillow shows it.
#include <algorithm>
#include <array>
#include <cstring>
#include <gif_lib.h>
#include <memory>

#include "preprocess/picture_formats.h"

namespace tandem {
namespace {

struct GifClose {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};
using Gif = std::unique_ptr<GifFileType, GifClose>;

int read_bytes(GifFileType* gif, GifByteType* to, int count) {
  auto& rest = *static_cast<Bytes*>(gif->UserData);
  const std::size_t n = std::min(rest.size(), static_cast<std::size_t>(std::max(count, 0)));
  if (n > 0) std::memcpy(to, rest.data(), n);
  rest = rest.subspan(n);
  return static_cast<int>(n);
}

[[noreturn]] void fail(const DecodeJob& job, int code) {
  const char* text = GifErrorString(code);
  throw_damaged(job, "GIF", text == nullptr ? "" : text);
}

constexpr int kOpaque = -1;

// Reads blocks up to the first picture. Returns its transparent palette index or kOpaque.
int find_picture(const DecodeJob& job, GifFileType* gif) {
  int transparent = kOpaque;
  while (true) {
    GifRecordType type;
    if (DGifGetRecordType(gif, &type) == GIF_ERROR) fail(job, gif->Error);
    if (type == IMAGE_DESC_RECORD_TYPE) return transparent;
    if (type == TERMINATE_RECORD_TYPE) throw_damaged(job, "GIF", "no picture in it");
    int code = 0;
    GifByteType* block = nullptr;  // length, then bytes
    if (DGifGetExtension(gif, &code, &block) == GIF_ERROR) fail(job, gif->Error);
    const bool control = code == GRAPHICS_EXT_FUNC_CODE && block != nullptr && block[0] >= 4;
    if (control && (block[1] & 1) != 0) transparent = block[4];
    while (block != nullptr) {
      if (DGifGetExtensionNext(gif, &block) == GIF_ERROR) fail(job, gif->Error);
    }
  }
}

using Palette = std::array<std::array<std::uint8_t, 4>, 256>;

// RGBA of each index. Without a palette, and past its end, an index is a grey level, as in Pillow.
Palette palette_of(const GifFileType* gif, int transparent) {
  Palette colors;
  for (int i = 0; i < 256; ++i) {
    const auto grey = static_cast<std::uint8_t>(i);
    colors[i] = {grey, grey, grey, 255};
  }
  const ColorMapObject* map = gif->Image.ColorMap != nullptr ? gif->Image.ColorMap : gif->SColorMap;
  for (int i = 0; map != nullptr && i < std::min(map->ColorCount, 256); ++i) {
    const GifColorType& color = map->Colors[i];
    colors[i] = {color.Red, color.Green, color.Blue, 255};
  }
  if (transparent != kOpaque) colors[transparent][3] = 0;
  return colors;
}

template <int kChannels>
void paint(std::span<const GifPixelType> indices, const Palette& colors, std::uint8_t* to) {
  for (const GifPixelType index : indices) {
    std::memcpy(to, colors[index].data(), kChannels);
    to += kChannels;
  }
}

// Rows of an interlaced picture come in four passes.
struct Pass {
  int from, step;
};
constexpr Pass kInterlaced[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
constexpr Pass kSequential[] = {{0, 1}};

}  // namespace

Decoded decode_gif(const DecodeJob& job) {
  Bytes rest = job.bytes;
  int error = 0;
  const Gif gif(DGifOpen(&rest, read_bytes, &error));
  if (gif == nullptr) fail(job, error);
  const int transparent = find_picture(job, gif.get());
  if (DGifGetImageDesc(gif.get()) == GIF_ERROR) fail(job, gif->Error);
  const GifImageDesc& frame = gif->Image;
  if (frame.Left < 0 || frame.Top < 0 || frame.Width < 1 || frame.Height < 1) {
    throw_damaged(job, "GIF", "frame without pixels");
  }
  // A frame that reaches past the screen makes the screen larger.
  const std::int64_t width = std::max(gif->SWidth, frame.Left + frame.Width);
  const std::int64_t height = std::max(gif->SHeight, frame.Top + frame.Height);
  check_picture_size(job, width, height);

  const auto colors = palette_of(gif.get(), transparent);
  const int channels = transparent == kOpaque ? 3 : 4;
  Decoded out;
  out.image = {static_cast<int>(width), static_cast<int>(height), channels, {}};
  out.image.pixels.resize(static_cast<std::size_t>(width * height) * channels);
  std::uint8_t* pixels = out.image.pixels.data();
  if (frame.Width < width || frame.Height < height) {
    const auto& around = colors[transparent == kOpaque ? 0 : transparent];
    for (std::int64_t i = 0; i < width * height; ++i) {
      std::memcpy(pixels + i * channels, around.data(), channels);
    }
  }
  std::vector<GifPixelType> row(frame.Width);
  const std::span<const Pass> passes =
      frame.Interlace ? std::span<const Pass>(kInterlaced) : std::span<const Pass>(kSequential);
  for (const Pass pass : passes) {
    for (int y = pass.from; y < frame.Height; y += pass.step) {
      if (DGifGetLine(gif.get(), row.data(), frame.Width) == GIF_ERROR) fail(job, gif->Error);
      std::uint8_t* to = pixels + ((frame.Top + y) * width + frame.Left) * channels;
      channels == 3 ? paint<3>(row, colors, to) : paint<4>(row, colors, to);
    }
  }
  return out;
}

}  // namespace tandem
