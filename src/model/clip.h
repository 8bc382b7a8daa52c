// A CLIP model: one image tower, one text tower, one shared space. The towers' forward passes are
// in their own files.
#pragma once

#include <optional>
#include <variant>

#include "model/coca.h"
#include "model/eva.h"
#include "model/fastvit.h"
#include "model/hf_text.h"
#include "model/modified_resnet.h"
#include "model/naflex.h"
#include "model/text.h"
#include "model/timm_vit.h"
#include "model/vit.h"

namespace tandem {

template <Backend B>
class ImageTower {
 public:
  ImageTower(typename B::Loader& load, const ModelConfig& config) : tower_(make(load, config)) {}

  // pixels: (B,S,S,3), or of the sizes that a NaFlex tower takes -> (B,E), not normalised.
  typename B::Tensor run(B& b, const PixelBatch& pixels, TrainingPass* training = nullptr) const {
    return std::visit(
        [&](const auto& tower) {
          if constexpr (requires { tower.run(b, pixels, training); })
            return tower.run(b, pixels, training);
          else
            return tower.run(b, pixels);
        },
        tower_);
  }

  // The image tower as OpenCLIP's ViT; null where it is another.
  const VisionTransformer<B>* vit() const { return std::get_if<VisionTransformer<B>>(&tower_); }

 private:
  using Tower = std::variant<VisionTransformer<B>, ModifiedResNet<B>, TimmVit<B>, Eva<B>,
                             FastVit<B>, Naflex<B>>;
  static Tower make(typename B::Loader& load, const ModelConfig& config) {
    switch (config.vision.family) {
      case VisionFamily::kModifiedResNet:
        return Tower(std::in_place_type<ModifiedResNet<B>>, load, config);
      case VisionFamily::kTimmVit:
        return Tower(std::in_place_type<TimmVit<B>>, load, config);
      case VisionFamily::kEva:
        return Tower(std::in_place_type<Eva<B>>, load, config);
      case VisionFamily::kFastVit:
        return Tower(std::in_place_type<FastVit<B>>, load, config);
      case VisionFamily::kNaflex:
        return Tower(std::in_place_type<Naflex<B>>, load, config);
      default:
        return Tower(std::in_place_type<VisionTransformer<B>>, load, config);
    }
  }
  Tower tower_;
};

template <Backend B>
class TextTower {
 public:
  TextTower(typename B::Loader& load, const ModelConfig& config) : tower_(make(load, config)) {}

  // (B,E), not normalised. run_shared: TextTransformer's.
  typename B::Tensor run(B& b, const TokenBatch& tokens) const {
    return std::visit([&](const auto& tower) { return tower.run(b, tokens); }, tower_);
  }
  typename B::Tensor run_shared(B& b, const TokenBatch& tokens) const {
    const auto* own = clip();
    return own != nullptr ? own->run_shared(b, tokens) : run(b, tokens);
  }

  // The text tower as CLIP's; null where it is another.
  const TextTransformer<B>* clip() const { return std::get_if<TextTransformer<B>>(&tower_); }

 private:
  using Tower = std::variant<TextTransformer<B>, HfText<B>>;
  static Tower make(typename B::Loader& load, const ModelConfig& config) {
    if (!config.text.hf.model.empty()) return Tower(std::in_place_type<HfText<B>>, load, config);
    return Tower(std::in_place_type<TextTransformer<B>>, load, config);
  }
  Tower tower_;
};

template <Backend B>
class Clip {
 public:
  // `captions`: CoCa's decoder too.
  Clip(typename B::Loader& load, const ModelConfig& config, bool captions = false)
      : image_(load, config), text_(load, config) {
    if (captions && config.multimodal) decoder_.emplace(load, config);
  }
  const ImageTower<B>& image() const { return image_; }
  const TextTower<B>& text() const { return text_; }
  // Null unless asked for, and a model that has one.
  const CocaDecoder<B>* decoder() const { return decoder_ ? &*decoder_ : nullptr; }

 private:
  ImageTower<B> image_;
  TextTower<B> text_;
  std::optional<CocaDecoder<B>> decoder_;
};

}  // namespace tandem
