// make_model DIR [tiny|vit-b-32|CONFIG.json]: writes a model folder with generated weights, the
// same on every machine. It answers nonsense, always the same: for transcript tests and benchmarks.
#include <cstdio>
#include <string>
#include <string_view>

#include "engine/generated_model.h"
#include "model/checkpoint.h"

namespace {

tandem::ModelConfig config_of(std::string_view name) {
  tandem::ModelConfig config;
  config.vision.patch_px = 32;  // ViT-B/32
  if (name == "vit-b-32") return config;
  if (name.ends_with(".json")) {
    const std::string path(name);
    return tandem::parse_model_config(tandem::json::read(path), path);
  }
  config.embed_dim = 32;
  config.vision.image_size_px = 32;
  config.vision.layers = 2;
  config.vision.width = 64;
  config.vision.head_width = 16;
  config.vision.patch_px = 8;
  config.text = {.context_length = 32, .vocab_size = 2000, .width = 64, .heads = 4, .layers = 2};
  config.preprocess.size_px = 32;
  return config;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: make_model DIR [tiny|vit-b-32|CONFIG.json]\n", stderr);
    return 2;
  }
  const auto model = tandem::generated_model(config_of(argc > 2 ? argv[2] : "tiny"), 11);
  tandem::save_checkpoint(argv[1], model.config, model.weights, tandem::DType::kF32);
  return 0;
}
