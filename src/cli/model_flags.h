// The options that say which model runs and how: the same for every command that needs one.
#pragma once

#include <string>

#include "tandem/model.h"

#include "cli/command.h"
#include "engine/registry.h"

namespace tandem::cli {

struct ModelFlags {
  std::string model = "mini";
  std::string precision = "auto";
  std::string device = "cpu";
  std::string assets;
  int threads = 0;
  bool reference = false;
  bool fast_jpeg = false;
  int merge_tokens = 0;
  bool captions = false;  // not an option: what the command needs
};

void add_model_options(Options& options, ModelFlags& flags);

// Where the assets are: --assets, TANDEM_ASSETS, or beside the program.
std::filesystem::path assets_folder(const ModelFlags& flags, const Context& context);

// Where models are looked for by name.
ModelPlaces model_places(const ModelFlags& flags, const Context& context);

// How much there is to compute. For a picture or two on a small model threads cost more than they
// bring: they wait for each other at every layer, and on a busy machine such waits dominate (55 ms
// against 300 to 600 ms, `mini`, 2 cores).
enum class Work { kLittle, kMuch };

// Throws Error; in `tandem`, a device other than the CPU hands the process over to tandem-torch.
Model load(const ModelFlags& flags, const Context& context, Work work = Work::kMuch);

// The templates to fill labels into: `given`, or when that is empty the set that suits the model.
std::vector<std::string> templates_for(const Model& model, const std::string& given,
                                       const std::filesystem::path& assets);

}  // namespace tandem::cli
