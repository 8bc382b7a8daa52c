// Random views of a picture for training: colours, ground, small affine changes. Never mirrored:
// captions say "left" and "right".
#pragma once

#include <cstdint>
#include <span>

#include "core/rng.h"
#include "preprocess/image.h"

namespace tandem {

// Shares are probabilities. All zero, with scale 1: the picture itself on white.
struct AugmentConfig {
  double min_scale = 1.0;  // of the picture in the square
  double max_scale = 1.0;
  double shift = 0;         // of the side, either way
  double rotation_deg = 0;  // either way
  double aspect = 0;        // width against height, either way
  double recolour = 0;      // of one-colour pictures: a random colour instead of their own
  double ground_tint = 0;   // a light ground instead of white
  double ground_dark = 0;   // a dark one
  double ground_any = 0;    // any colour
  double jitter = 0;        // strength of brightness, contrast and saturation changes
  double grey = 0;
  double blur = 0;
  double coarse = 0;   // down to half the pixels and up again
  double thicken = 0;  // of one-colour pictures: lines a pixel wider
};

// rgba: 4 channels. Writes a (size,size,3) picture. A function of its arguments only.
void augment_picture(const Image& rgba, bool mono, const AugmentConfig& config, int size_px,
                     Rng& rng, std::span<std::uint8_t> out);

}  // namespace tandem
