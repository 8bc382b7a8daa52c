// The part of tasks/query.h that runs a model.
#include "engine/model.h"
#include "tasks/query.h"

namespace tandem {

std::vector<float> picture_vector(const Model& model, const Image& image,
                                  const std::optional<Region>& region) {
  const auto& rep = model.rep();
  const auto& config = rep.checkpoint.config.preprocess;
  return rep.encoder->encode_images(model_input(region ? crop(image, *region) : image, config))
      .values;
}

}  // namespace tandem
