// What an encoder refuses to read.
#include <fmt/format.h>

#include "core/error.h"
#include "engine/encoder.h"

namespace tandem {
namespace {

// Pictures of a NaFlex tower: whole patches, no more than the model reads.
void check_varied(const PreprocessConfig& config, const PixelBatch& pixels) {
  std::size_t bytes = 0;
  for (const PictureSize& size : pixels.sizes) {
    const int patch = config.patch_px;
    const bool fits =
        size.width > 0 && size.height > 0 && size.width % patch == 0 && size.height % patch == 0 &&
        static_cast<std::int64_t>(size.width / patch) * (size.height / patch) <= config.max_patches;
    bytes += size.bytes();
    if (fits) continue;
    throw Error(Kind::kInput,
                fmt::format("encode_images: a picture of {}x{} pixels. Expected whole patches of "
                            "{} pixels, at most {}.",
                            size.width, size.height, patch, config.max_patches));
  }
  if (pixels.sizes.size() == static_cast<std::size_t>(pixels.count) &&
      bytes == pixels.pixels.size())
    return;
  throw Error(Kind::kInput, fmt::format("encode_images: {} pictures in {} bytes, with {} sizes. "
                                        "Expected a size for each, and its pixels.",
                                        pixels.count, pixels.pixels.size(), pixels.sizes.size()));
}

}  // namespace

void check_pictures(const ModelConfig& config, const PixelBatch& pixels) {
  if (config.vision.family == VisionFamily::kNaflex) return check_varied(config.preprocess, pixels);
  const std::size_t size = config.vision.image_size_px;
  const bool fits = pixels.count >= 0 && static_cast<std::size_t>(pixels.size_px) == size &&
                    pixels.sizes.empty() && pixels.pixels.size() == size * size * 3 * pixels.count;
  if (fits) return;
  throw Error(
      Kind::kInput,
      fmt::format("encode_images: {} pictures of {} pixels in {} bytes. Expected {} pixels a side.",
                  pixels.count, pixels.size_px, pixels.pixels.size(), size));
}

void check_texts(const ModelConfig& config, const TokenBatch& tokens) {
  for (int i = 0; i < tokens.count(); ++i) {
    const int n = tokens.offsets[i + 1] - tokens.offsets[i];
    if (n >= 1 && n <= config.text.context_length) continue;
    throw Error(Kind::kInput, fmt::format("encode_texts: text {} has {} tokens. Expected 1 to {}.",
                                          i, n, config.text.context_length));
  }
  for (const std::int32_t id : tokens.ids) {
    if (id >= 0 && id < config.text.vocab_size) continue;
    throw Error(
        Kind::kInput,
        fmt::format("encode_texts: token id {} is not in a vocabulary of {}. Expected this model's "
                    "own tokenizer.",
                    id, config.text.vocab_size));
  }
}

}  // namespace tandem
