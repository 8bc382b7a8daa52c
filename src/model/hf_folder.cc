#include "model/hf_folder.h"

#include <cmath>

#include "core/files.h"
#include "core/safetensors.h"
#include "core/safetensors_sharded.h"
#include "model/hf_preprocess.h"

namespace tandem {

namespace fs = std::filesystem;

Checkpoint read_hf_folder(const fs::path& folder,
                          ModelConfig (*parse)(const json::value& v, const std::string& where),
                          TensorMap (*rename)(const TensorMap& theirs, const ModelConfig& config,
                                              const std::string& where)) {
  Checkpoint c;
  const fs::path config = folder / "config.json";
  c.config = parse(json::read(config), config.string());
  c.config.preprocess = read_hf_preprocess(folder, c.config.vision);
  std::error_code ignored;
  const bool here = fs::exists(folder / "model.safetensors", ignored) ||
                    fs::exists(folder / "model.safetensors.index.json", ignored);
  if (!here && fs::exists(folder / "pytorch_model.bin", ignored))
    refuse_pickle(folder / "pytorch_model.bin");
  const SafeTensors file = read_safetensors_folder(folder, "model");
  c.weights = rename(file.map, c.config, (folder / "model.safetensors").string());
  return c;
}

void write_hf_folder(const fs::path& folder, const TensorMap& weights,
                     const json::object& preprocess, const json::object& config) {
  fs::create_directories(folder);
  write_safetensors(folder / "model.safetensors", weights, {{"format", "pt"}});
  write_file_atomically(folder / "preprocessor_config.json", json::pretty(preprocess) + "\n");
  write_file_atomically(folder / "config.json", json::pretty(config) + "\n");
}

double ratio_for(int hidden, int width) {
  double ratio = static_cast<double>(hidden) / width;
  while (static_cast<int>(width * ratio) < hidden) ratio = std::nextafter(ratio, 1e9);
  return ratio;
}

}  // namespace tandem
