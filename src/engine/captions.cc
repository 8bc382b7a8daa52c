#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "engine/encoder.h"

namespace tandem {

std::unique_ptr<CaptionSession> Encoder::begin_caption(const PixelBatch& /*picture*/,
                                                       int /*threads*/) const {
  throw Error(Kind::kUnsupported, "this engine writes no captions. Use the CPU's or libtorch's.");
}

void check_writes_captions(const Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config;
  if (!config.multimodal) {
    throw Error(Kind::kUnsupported,
                fmt::format("{} has no caption decoder. Expected a CoCa model, for instance "
                            "coca-vit-b-32-mscoco.",
                            checkpoint.name));
  }
  if (config.vision.family == VisionFamily::kVit && config.text.hf.model.empty()) return;
  throw Error(Kind::kUnsupported,
              fmt::format("{}: captions are written only where both towers are OpenCLIP's own "
                          "transformers, for instance coca-vit-b-32-mscoco.",
                          checkpoint.name));
}

void check_next(const ModelConfig& config, std::span<const std::int32_t> parents,
                std::span<const std::int32_t> ids, int before, int length) {
  const int longest = std::min(config.text.context_length, config.multimodal->context_length);
  if (length >= longest) {
    throw Error(Kind::kInput,
                fmt::format("caption: longer than the {} tokens that the model reads.", longest));
  }
  const auto inside = [](std::span<const std::int32_t> values, int end) {
    return std::ranges::all_of(values, [&](std::int32_t v) { return v >= 0 && v < end; });
  };
  const bool fits = !ids.empty() && parents.size() == (length == 0 ? 0 : ids.size()) &&
                    inside(parents, before) && inside(ids, config.text.vocab_size);
  if (fits) return;
  throw Error(Kind::kInput,
              fmt::format("caption: {} ids of a vocabulary of {} behind {} of {} texts. Expected "
                          "as many ids as parents, each of them there.",
                          ids.size(), config.text.vocab_size, parents.size(), before));
}

}  // namespace tandem
