// open_clip's folders (open_clip_config.json + open_clip_model.safetensors) and single files with
// the configuration in their metadata. Names are Tandem's own; what open_clip mends when it loads
// old files is mended here (open_clip 3.3 factory.load_checkpoint, model.convert_to_custom_text_
// state_dict).
#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "core/error.h"
#include "core/files.h"
#include "core/safetensors.h"
#include "model/dialect.h"
#include "model/fastvit.h"
#include "model/positions.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "open_clip_config.json";
constexpr const char* kWeightsFile = "open_clip_model.safetensors";

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

bool recognises(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path.extension() == ".safetensors";
  // A folder may hold two dialects, of which one with its weights as a pickle.
  return is_there(path / kConfigFile) &&
         (is_there(path / kWeightsFile) || !is_there(path / "config.json"));
}

void refuse_pickle_inside(const fs::path& folder) {
  if (is_there(folder / kWeightsFile)) return;
  const fs::path pickle = folder / "open_clip_pytorch_model.bin";
  if (is_there(pickle)) refuse_pickle(pickle);
}

// Files written before CustomTextCLIP had the text tower's tensors without "text.".
void mend_text_names(TensorMap& map) {
  if (!map.contains("text_projection")) return;
  constexpr std::array<std::string_view, 5> kText = {"text_projection", "positional_embedding",
                                                     "token_embedding", "transformer", "ln_final"};
  std::map<std::string, TensorView, std::less<>> renamed;
  for (auto& [name, view] : map.tensors) {
    const bool text = std::any_of(kText.begin(), kText.end(),
                                  [&](std::string_view start) { return name.starts_with(start); });
    renamed.emplace(text ? "text." + name : name, std::move(view));
  }
  map.tensors = std::move(renamed);
}

void mend(Checkpoint& c) {
  if (c.config.custom_text) mend_text_names(c.weights);
  c.weights.tensors.erase("text.transformer.embeddings.position_ids");
  if (c.config.init_logit_bias && !c.weights.contains("logit_bias"))
    c.weights.add_float("logit_bias", {}, {0.0F});
  fit_positions(c.config, c.weights);
  reparameterise(c.config, c.weights);
}

Checkpoint read_folder(const fs::path& folder) {
  refuse_pickle_inside(folder);
  Checkpoint c;
  const fs::path config = folder / kConfigFile;
  c.config = parse_model_config(json::read(config), config.string());
  c.weights = read_safetensors(folder / kWeightsFile).map;
  return c;
}

Checkpoint read_file(const fs::path& path) {
  SafeTensors file = read_safetensors(path);
  const auto it = file.metadata.find("open_clip_config");
  if (it == file.metadata.end()) {
    throw Error(Kind::kUnsupported,
                fmt::format("{}: no configuration in its metadata (key open_clip_config). Give the "
                            "folder that holds it and its configuration.",
                            path.string()));
  }
  Checkpoint c;
  const std::string where = path.string() + " (open_clip_config)";
  c.config = parse_model_config(json::parse(it->second, where), where);
  c.weights = std::move(file.map);
  return c;
}

Checkpoint read(const fs::path& path) {
  Checkpoint c = fs::is_directory(path) ? read_folder(path) : read_file(path);
  mend(c);
  return c;
}

void write(const Checkpoint& checkpoint, const fs::path& folder, DType dtype) {
  save_checkpoint(folder, checkpoint.config, checkpoint.weights, dtype);
}

}  // namespace

const Dialect& open_clip_dialect() {
  static const Dialect kDialect = {"open-clip",
                                   "open_clip's folder: open_clip_config.json and "
                                   "open_clip_model.safetensors (Tandem's own)",
                                   recognises, read, write};
  return kDialect;
}

}  // namespace tandem
