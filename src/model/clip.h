// A CLIP model: one image tower, one text tower, one shared space. The towers' forward passes are
// in their own files.
#pragma once

#include <variant>

#include "model/modified_resnet.h"
#include "model/text.h"
#include "model/vit.h"

namespace tandem {

template <Backend B>
class ImageTower {
 public:
  ImageTower(typename B::Loader& load, const ModelConfig& config) : tower_(make(load, config)) {}

  // pixels: (B,S,S,3) -> (B,E), not normalised.
  typename B::Tensor run(B& b, const PixelBatch& pixels, TrainingPass* training = nullptr) const {
    if (const auto* vit = std::get_if<VisionTransformer<B>>(&tower_))
      return vit->run(b, pixels, training);
    return std::get<ModifiedResNet<B>>(tower_).run(b, pixels);
  }

 private:
  using Tower = std::variant<VisionTransformer<B>, ModifiedResNet<B>>;
  static Tower make(typename B::Loader& load, const ModelConfig& config) {
    if (config.vision.is_resnet())
      return Tower(std::in_place_type<ModifiedResNet<B>>, load, config);
    return Tower(std::in_place_type<VisionTransformer<B>>, load, config);
  }
  Tower tower_;
};

template <Backend B>
class Clip {
 public:
  Clip(typename B::Loader& load, const ModelConfig& config)
      : image_(load, config), text_(load, config) {}
  const ImageTower<B>& image() const { return image_; }
  const TextTransformer<B>& text() const { return text_; }

 private:
  ImageTower<B> image_;
  TextTransformer<B> text_;
};

}  // namespace tandem
