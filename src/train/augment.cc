#include "train/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

namespace tandem {
namespace {

using Colour = std::array<float, 3>;  // 0..255

float luma(const Colour& c) { return 0.299F * c[0] + 0.587F * c[1] + 0.114F * c[2]; }

Colour random_colour(Rng& rng, double low, double high) {
  Colour c;
  for (float& v : c) v = static_cast<float>(rng.uniform(low, high));
  return c;
}

Colour random_ground(const AugmentConfig& config, Rng& rng) {
  double at = rng.uniform();
  if ((at -= config.ground_tint) < 0) return random_colour(rng, 200, 255);
  if ((at -= config.ground_dark) < 0) return random_colour(rng, 0, 70);
  if ((at -= config.ground_any) < 0) return random_colour(rng, 0, 255);
  return {255, 255, 255};
}

// A colour that can be told from the ground.
Colour random_ink(const Colour& ground, Rng& rng) {
  constexpr float kContrast = 80;
  for (int attempt = 0; attempt < 16; ++attempt) {
    const Colour c = random_colour(rng, 0, 255);
    if (std::abs(luma(c) - luma(ground)) > kContrast) return c;
  }
  return luma(ground) > 127 ? Colour{0, 0, 0} : Colour{255, 255, 255};
}

// A picture with premultiplied alpha in floats and a transparent border of one pixel.
struct Layer {
  int width = 0;  // with border
  int height = 0;
  std::vector<float> values;  // (height,width,4)
  float* at(int x, int y) { return values.data() + 4 * (static_cast<std::size_t>(y) * width + x); }
  const float* at(int x, int y) const {
    return values.data() + 4 * (static_cast<std::size_t>(y) * width + x);
  }
};

Layer premultiplied(const Image& image, const Colour* ink) {
  Layer layer{image.width + 2, image.height + 2, {}};
  layer.values.resize(static_cast<std::size_t>(layer.width) * layer.height * 4);
  const std::uint8_t* in = image.pixels.data();
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x, in += 4) {
      float* out = layer.at(x + 1, y + 1);
      const float alpha = static_cast<float>(in[3]) / 255.0F;
      for (int c = 0; c < 3; ++c) out[c] = alpha * (ink ? (*ink)[c] : static_cast<float>(in[c]));
      out[3] = alpha;
    }
  }
  return layer;
}

// Every pixel becomes the most opaque of itself and its right, lower and lower right neighbours.
void thicken(Layer& layer) {
  for (int y = 0; y + 1 < layer.height; ++y) {
    for (int x = 0; x + 1 < layer.width; ++x) {
      float* p = layer.at(x, y);
      for (const float* q : {layer.at(x + 1, y), layer.at(x, y + 1), layer.at(x + 1, y + 1)}) {
        if (q[3] > p[3]) std::copy_n(q, 4, p);
      }
    }
  }
}

// Source coordinates of the output's pixel (x,y): a*x + b*y + c, d*x + e*y + f.
struct Affine {
  float a, b, c, d, e, f;
};

Affine random_affine(const Layer& layer, const AugmentConfig& config, int size_px, Rng& rng) {
  const double fit = std::max(layer.width - 2, layer.height - 2) / static_cast<double>(size_px);
  const double step = fit / rng.uniform(config.min_scale, config.max_scale);
  const double stretch = std::exp(rng.uniform(-config.aspect, config.aspect) / 2);
  const double angle =
      rng.uniform(-config.rotation_deg, config.rotation_deg) * std::numbers::pi / 180;
  const double shift_x = rng.uniform(-config.shift, config.shift) * size_px;
  const double shift_y = rng.uniform(-config.shift, config.shift) * size_px;
  const double cosine = std::cos(angle) * step;
  const double sine = std::sin(angle) * step;
  const double middle = (size_px - 1) / 2.0;
  Affine m{};
  m.a = static_cast<float>(cosine * stretch);
  m.b = static_cast<float>(-sine * stretch);
  m.d = static_cast<float>(sine / stretch);
  m.e = static_cast<float>(cosine / stretch);
  m.c = static_cast<float>((layer.width - 1) / 2.0 - m.a * (middle + shift_x) -
                           m.b * (middle + shift_y));
  m.f = static_cast<float>((layer.height - 1) / 2.0 - m.d * (middle + shift_x) -
                           m.e * (middle + shift_y));
  return m;
}

// Adds the bilinear sample at (u,v), times weight; outside the layer is transparent.
void add_sample(const Layer& layer, float u, float v, float weight, float* sum) {
  const int x = static_cast<int>(std::floor(u));
  const int y = static_cast<int>(std::floor(v));
  if (x < 0 || y < 0 || x + 1 >= layer.width || y + 1 >= layer.height) return;
  const float dx = u - static_cast<float>(x);
  const float dy = v - static_cast<float>(y);
  const float* p = layer.at(x, y);
  const float* q = layer.at(x, y + 1);
  for (int c = 0; c < 4; ++c) {
    const float top = p[c] + (p[c + 4] - p[c]) * dx;
    const float bottom = q[c] + (q[c + 4] - q[c]) * dx;
    sum[c] += weight * (top + (bottom - top) * dy);
  }
}

// (size,size,3) floats: the layer through the map, over the ground. Four samples a pixel where the
// picture shrinks, else thin lines would break.
std::vector<float> render(const Layer& layer, const Affine& m, const Colour& ground, int size_px) {
  std::vector<float> out(static_cast<std::size_t>(size_px) * size_px * 3);
  float* p = out.data();
  const bool fine = std::hypot(m.a, m.d) > 1.2F;
  for (int y = 0; y < size_px; ++y) {
    for (int x = 0; x < size_px; ++x, p += 3) {
      float sum[4] = {};
      const float u = m.a * x + m.b * y + m.c;
      const float v = m.d * x + m.e * y + m.f;
      if (fine) {
        const float h = 0.25F;
        for (const auto& [i, j] : {std::pair{-h, -h}, {h, -h}, {-h, h}, {h, h}}) {
          add_sample(layer, u + m.a * i + m.b * j, v + m.d * i + m.e * j, 0.25F, sum);
        }
      } else {
        add_sample(layer, u, v, 1, sum);
      }
      for (int c = 0; c < 3; ++c) p[c] = sum[c] + ground[c] * (1 - sum[3]);
    }
  }
  return out;
}

void jitter_colours(std::vector<float>& pixels, double strength, Rng& rng) {
  const auto change = [&] { return static_cast<float>(rng.uniform(1 - strength, 1 + strength)); };
  const float brightness = change();
  const float contrast = change();
  const float saturation = change();
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    float* p = pixels.data() + i;
    const float grey = luma({p[0], p[1], p[2]});
    for (int c = 0; c < 3; ++c) {
      const float coloured = grey + (p[c] - grey) * saturation;
      p[c] = ((coloured - 127.5F) * contrast + 127.5F) * brightness;
    }
  }
}

void make_grey(std::vector<float>& pixels) {
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    const float grey = luma({pixels[i], pixels[i + 1], pixels[i + 2]});
    std::fill_n(pixels.begin() + i, 3, grey);
  }
}

// Mean of 2x2 blocks; with `coarse` every pixel of a block gets it, else it slides.
void soften(std::vector<float>& pixels, int size_px, bool coarse) {
  const std::vector<float> in = pixels;
  const auto at = [&](int x, int y) { return 3 * (static_cast<std::size_t>(y) * size_px + x); };
  for (int y = 0; y + 1 < size_px; ++y) {
    for (int x = 0; x + 1 < size_px; ++x) {
      const int bx = coarse ? x & ~1 : x;
      const int by = coarse ? y & ~1 : y;
      for (int c = 0; c < 3; ++c) {
        pixels[at(x, y) + c] = (in[at(bx, by) + c] + in[at(bx + 1, by) + c] +
                                in[at(bx, by + 1) + c] + in[at(bx + 1, by + 1) + c]) /
                               4;
      }
    }
  }
}

}  // namespace

void augment_picture(const Image& rgba, bool mono, const AugmentConfig& config, int size_px,
                     Rng& rng, std::span<std::uint8_t> out) {
  const Colour ground = random_ground(config, rng);
  // A black drawing on a dark ground would vanish: it is always recoloured.
  const bool recolour = mono && (rng.uniform() < config.recolour || luma(ground) < 110);
  const Colour ink = random_ink(ground, rng);
  Layer layer = premultiplied(rgba, recolour ? &ink : nullptr);
  if (mono && rng.uniform() < config.thicken) thicken(layer);
  std::vector<float> pixels =
      render(layer, random_affine(layer, config, size_px, rng), ground, size_px);
  if (config.jitter > 0) jitter_colours(pixels, config.jitter, rng);
  if (rng.uniform() < config.grey) make_grey(pixels);
  if (rng.uniform() < config.blur) soften(pixels, size_px, /*coarse=*/false);
  if (rng.uniform() < config.coarse) soften(pixels, size_px, /*coarse=*/true);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    out[i] = static_cast<std::uint8_t>(std::clamp(pixels[i] + 0.5F, 0.0F, 255.0F));
  }
}

}  // namespace tandem
