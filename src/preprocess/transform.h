// From a decoded picture to a model's exact input. Immutable; safe to share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "preprocess/image.h"

namespace tandem {

enum class ResizeMode {
  kShortest,  // short side to size, then centre crop (open_clip's default)
  kSquash,    // both sides to size, aspect ignored (SigLIP)
  kLongest,   // long side to size, then centred padding with fill_color
  // Proportions kept, as large as max_patches allow (SigLIP 2's NaFlex): pictures differ in size.
  kPatches,
};

// Where a centred crop begins when the margins cannot be equal.
enum class CropOffset {
  kHalfToEven,  // Python's round() of half the difference: torchvision, and so open_clip
  kDown,        // rounded down: transformers' image processors
};

// open_clip's preprocess_cfg: {size, mode, mean, std, interpolation, resize_mode, fill_color},
// and Tandem's own crop_offset and max_patches.
struct PreprocessConfig {
  int size_px = 224;                                                // kPatches: of no meaning
  std::array<float, 3> mean{0.48145466F, 0.4578275F, 0.40821073F};  // OpenAI CLIP
  std::array<float, 3> std{0.26862954F, 0.26130258F, 0.27577711F};
  Filter interpolation = Filter::kBicubic;
  ResizeMode resize_mode = ResizeMode::kShortest;
  std::uint8_t fill_color = 0;
  CropOffset crop_offset = CropOffset::kHalfToEven;
  int patch_px = 0;  // kPatches: sides are multiples of it
  int max_patches = 0;
};

struct PictureSize {
  int width = 0;
  int height = 0;
  std::size_t bytes() const { return static_cast<std::size_t>(width) * height * 3; }
  friend bool operator==(const PictureSize&, const PictureSize&) = default;
};

// A batch of model inputs before normalisation. The engine normalises while it packs patches, in
// one pass: (pixel/255 - mean)/std, in float32, as torchvision's ToTensor + Normalize.
struct PixelBatch {
  int count = 0;                        // B
  int size_px = 0;                      // S
  std::vector<std::uint8_t> pixels;     // (B,S,S,3)
  std::vector<PictureSize> sizes = {};  // where pictures differ, (B); S is then of no meaning

  PictureSize size(int i) const { return sizes.empty() ? PictureSize{size_px, size_px} : sizes[i]; }
  std::span<const std::uint8_t> picture(int i) const {
    return {pixels.data() + begin(i), size(i).bytes()};
  }
  // Pictures [from,to).
  PixelBatch part(int from, int to) const;

 private:
  std::size_t begin(int i) const;
};

// What a picture of `shown` size becomes. Source for kPatches: transformers 5.23
// get_image_size_for_max_num_patches.
PictureSize input_size(PictureSize shown, const PreprocessConfig& config);
// A picture that was decoded smaller is still shown as large as it was.
PictureSize shown_size(const Image& image);

// Resizes and crops or pads to input_size as open_clip's image_transform(is_train=False) does with
// torchvision on PIL pictures: same rounding of the long side and of the crop offsets. Writes
// (height,width,3) bytes to `out`. An RGBA picture is resized with its alpha and then loses it, as
// there.
void transform_image(const Image& image, const PreprocessConfig& config,
                     std::span<std::uint8_t> out);

// A picture as a model with this config reads it: a batch of one.
PixelBatch model_input(const Image& image, const PreprocessConfig& config);

// pixel value -> normalised float, one table a channel: [channel][value].
using NormaliseTable = std::array<std::array<float, 256>, 3>;
NormaliseTable normalise_table(const PreprocessConfig& config);

}  // namespace tandem
